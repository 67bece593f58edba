"""`orchestrator hook`, which Claude Code calls, and `orchestrator hooks`, which installs it."""

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import working_directory

if TYPE_CHECKING:
    from orchestrator.session_hooks.settings import SettingsChange

where = click.argument("where", type=click.Choice(["local", "global"]), metavar="local|global")


@click.command()
def hook() -> None:
    """Record a Claude Code event read from standard input.

    Prints nothing and never fails; errors are logged in the state directory. The hooks that
    `hooks install` adds run the same code directly, without the start-up time of this command.
    """
    from orchestrator.session_hooks.entry import main

    main()


@click.group(cls=CommandGroup)
def hooks() -> None:
    """Add the hooks to Claude Code's settings, or remove them."""


@hooks.command()
@where
@working_directory
def install(where: str, project_dir: Path) -> None:
    """Add the hooks to the project's settings.json (local) or to your own (global).

    The hooks record destructive commands before they run, and failed tool calls, in the learnings
    workspace. Everything else in the file stays as it is. Repeating the command changes nothing.
    """
    from orchestrator.learnings.workspace import find_workspace
    from orchestrator.session_hooks import settings

    change = settings.install_hooks(resolve_settings_file(where, project_dir))
    outcome = "hooks added to" if change.changed else "the hooks are already in"
    click.echo(f"{outcome} {change.path}")
    warn_if_nested(where, project_dir)
    warn_if_disabled(change)
    if find_workspace(project_dir) is None:
        click.echo(
            f"the hooks need a workspace to record in; run `orchestrator learnings init {where}`"
        )


@hooks.command()
@where
@working_directory
def uninstall(where: str, project_dir: Path) -> None:
    """Remove only the hooks from the project's settings.json (local) or from your own (global)."""
    from orchestrator.session_hooks import settings

    change = settings.uninstall_hooks(resolve_settings_file(where, project_dir))
    outcome = "hooks removed from" if change.changed else "there are no hooks to remove in"
    click.echo(f"{outcome} {change.path}")


def resolve_settings_file(where: str, project: Path) -> Path:
    """Return the path of the settings file for `local` or `global`."""
    import os

    from orchestrator.platform.project import resolve_project
    from orchestrator.session_hooks import settings

    if where == "global":
        return settings.global_settings(os.environ)
    return settings.local_settings(resolve_project(project))


def warn_if_nested(where: str, project: Path) -> None:
    """Warn if the hooks do not cover sessions that start in the workspace's own folder.

    Claude Code (2.1.329) loads settings.json from the folder in which a session starts, and from
    no parent of it. The workspace, however, is found from every subfolder.
    """
    from orchestrator.learnings.workspace import local_workspace

    folder, top = project.resolve(), local_workspace(project).base
    if where == "local" and folder != top:
        click.echo(
            f"the hooks run only in sessions that start in {folder}; for those in {top}, run: "
            f"orchestrator hooks install local --project-dir {shlex.quote(str(top))}"
        )


def warn_if_disabled(change: "SettingsChange") -> None:
    """Warn if the settings file disables all hooks."""
    if change.hooks_disabled:
        click.echo("but no hook runs: set `disableAllHooks` to false in that file", err=True)
