"""`orchestrator hook` and `orchestrator hooks`."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.options import project_directory

if TYPE_CHECKING:
    from orchestrator.session_hooks.settings import SettingsChange

where = click.argument("where", type=click.Choice(["local", "global"]), metavar="local|global")


@click.command()
def hook() -> None:
    """Note what a Claude Code event, read from standard input, has to say.

    Prints nothing and never fails: whatever goes wrong is logged in the state directory. The
    hooks that `hooks install` sets up run the same code without the command line's start.
    """
    from orchestrator.session_hooks.entry import main

    main()


@click.group()
def hooks() -> None:
    """Put our hooks into Claude Code's settings, or take them out."""


@hooks.command()
@where
@project_directory
def install(where: str, project_dir: Path) -> None:
    """Add the hooks to the project's settings.json, or to yours.

    They note destructive commands before they run, and failed tool calls, in the learnings
    workspace. What stands in the file stays as it is; doing it again changes nothing.
    """
    from orchestrator.learnings.workspace import find_workspace
    from orchestrator.session_hooks import settings

    change = settings.install_hooks(resolve_settings_file(where, project_dir))
    said = "hooks added to" if change.changed else "the hooks are in place in"
    click.echo(f"{said} {change.path}")
    warn_if_nested(where, project_dir)
    warn_if_disabled(change)
    if find_workspace(project_dir) is None:
        click.echo(
            f"they write nothing until there is a workspace: orchestrator learnings init {where}"
        )


@hooks.command()
@where
@project_directory
def uninstall(where: str, project_dir: Path) -> None:
    """Take exactly our part out of the project's settings.json, or out of yours."""
    from orchestrator.session_hooks import settings

    change = settings.uninstall_hooks(resolve_settings_file(where, project_dir))
    said = "hooks taken out of" if change.changed else "no hooks of ours are in"
    click.echo(f"{said} {change.path}")


def resolve_settings_file(where: str, project: Path) -> Path:
    """The settings file that `local` or `global` means."""
    import os

    from orchestrator.platform.project import resolve_project
    from orchestrator.session_hooks import settings

    if where == "global":
        return settings.global_settings(os.environ)
    return settings.local_settings(resolve_project(project))


def warn_if_nested(where: str, project: Path) -> None:
    """Say that hooks in a folder below the workspace are not those of the folders above it.

    Claude Code (2.1.329) loads the settings.json of the folder that a session starts in, and of no
    folder above it; the workspace is found from below.
    """
    from orchestrator.learnings.workspace import local_workspace

    folder, top = project.resolve(), local_workspace(project).base
    if where == "local" and folder != top:
        click.echo(
            f"they run in sessions that start in {folder}; for those that start in {top}: "
            f"orchestrator hooks install local --project-dir {shlex.quote(str(top))}"
        )


def warn_if_disabled(change: "SettingsChange") -> None:
    """Say that the hooks will not run, if the file says so."""
    if change.hooks_disabled:
        click.echo("but `disableAllHooks` is true there: Claude Code runs none of them", err=True)
