"""`orchestrator learnings init`: create the workspace, its .gitignore lines and the hooks."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.hooks import resolve_settings_file, warn_if_disabled, warn_if_nested
from orchestrator.cli.options import working_directory
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.learnings.workspace import Workspace


@click.command()
@click.argument(
    "where", type=click.Choice(["local", "global"]), required=False, metavar="[local|global]"
)
@click.option(
    "--gitignore",
    "ignored",
    type=click.Choice(["personal", "shared", "none"]),
    help="What git ignores: the whole workspace, only machine-specific files, or nothing.",
)
@click.option("--hooks/--no-hooks", default=None, help="Whether to add the hooks to settings.json.")
@working_directory
def init(where: str | None, ignored: str | None, hooks: bool | None, project_dir: Path) -> None:
    """Create the learnings workspace.

    `local` creates it in the project, `global` in ~/.claude; if you give neither, you are asked.
    Existing files are not changed.
    """
    from orchestrator.learnings import workspace as workspaces
    from orchestrator.platform.project import resolve_project

    project = resolve_project(project_dir)
    where = where or _ask_location()
    workspace = (
        workspaces.local_workspace(project) if where == "local" else workspaces.global_workspace()
    )
    for file in workspaces.initialize_workspace(workspace):
        click.echo(f"{'created' if file.created else 'kept   '} {file.path}")
    if where == "local":
        _offer_gitignore(workspace, ignored)
    _offer_hooks(where, project, hooks)


def _ask_location() -> str:
    if not sys.stdin.isatty():
        raise UsageError(
            "no location was given for the workspace, and there is no terminal to ask for one",
            "run `orchestrator learnings init local` or `orchestrator learnings init global`",
        )
    click.echo("local:  in this project, for everyone who works on it")
    click.echo("global: under ~/.claude, for you")
    return str(click.prompt("Where", type=click.Choice(["local", "global"]), default="local"))


def _offer_gitignore(workspace: "Workspace", ignored: str | None) -> None:
    from orchestrator.learnings import gitignore

    if ignored is None:
        if gitignore.has_ignore_lines(workspace):
            return
        if not sys.stdin.isatty():
            click.echo(".gitignore is unchanged; add lines with `--gitignore personal` or `shared`")
            return
        click.echo("personal: git ignores the workspace")
        click.echo("shared:   the team shares the learnings")
        choices = click.Choice(["personal", "shared", "none"])
        ignored = str(click.prompt("What to add to .gitignore", type=choices, default="shared"))
    if ignored != "none":
        for line in gitignore.add_lines(workspace, personal=ignored == "personal"):
            click.echo(f"ignored {line}")


def _offer_hooks(where: str, project: Path, wanted: bool | None) -> None:
    from orchestrator.session_hooks import settings

    path = resolve_settings_file(where, project)
    if settings.is_installed(path):
        click.echo(f"kept    hooks in {path}")
        return
    if wanted is None:
        if not sys.stdin.isatty():
            click.echo(f"no hooks added; add them with `orchestrator hooks install {where}`")
            return
        wanted = click.confirm(f"Add the hooks to {path}?", default=True)
    if wanted:
        change = settings.install_hooks(path)
        click.echo(f"hooks added to {path}")
        warn_if_nested(where, project)
        warn_if_disabled(change)
