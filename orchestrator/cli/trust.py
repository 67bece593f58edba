"""`orchestrator trust`: use settings that a project brings, or no longer."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.options import project_directory
from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UntrustedError, UsageError
from orchestrator.masking import mask_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from orchestrator.services.trust_requests import Request

_ALL: Final = "*"


@click.command()
@project_directory
@click.option("--yes", is_flag=True, help="Trust all settings that are shown, without asking.")
@click.option("--list", "list_all", is_flag=True, help="List what you trust, for all projects.")
@click.option(
    "--revoke",
    metavar="[KEY]",
    is_flag=False,
    flag_value=_ALL,
    help="Trust this setting of the project no longer [default: all of its settings].",
)
@click.option("--tasks", metavar="FILE", help="Also the commands that a task list has as checks.")
def trust(
    project_dir: Path, yes: bool, list_all: bool, revoke: str | None, tasks: str | None
) -> None:
    """Show which settings a project asks for, and trust them if you say so.

    Settings of a project's own orchestrator.yaml that are not harmless, and its settings for Claude
    Code, are used only after you have trusted them. Your answer is remembered for this project, key
    and value: a changed value is asked again, and so is a copy of the project.
    """
    from orchestrator.platform.project import resolve_project

    if list_all:
        return _print_trusted()
    project = resolve_project(project_dir)
    if revoke is not None:
        return _revoke(project, "" if revoke == _ALL else revoke)
    return _ask(project, tasks, yes=yes)


def offer_trust(error: UntrustedError) -> bool:
    """Show what a project asks for and ask; remember a yes, and return whether it was given.

    Nobody is asked if there is no terminal, or in a command that an agent or a test started.

    Raises:
        UsageError: the answer was no.
    """
    if not (sys.stdin.isatty() and sys.stderr.isatty()) or is_inside_run():
        return False
    from orchestrator.services.trust import trust_values

    click.echo(f"orchestrator: {_format(error.request)}", err=True)
    for line in error.shortened:
        click.echo(f"in full: {_format(line)}", err=True)
    if not click.confirm(f"Trust this in {_format(error.project)}?", default=False, err=True):
        raise UsageError("nothing was trusted, and nothing was started", error.hint)
    trust_values(error.project, error.texts)
    return True


def _ask(project: Path, tasks: str | None, *, yes: bool) -> None:
    from orchestrator.services.trust import trust_values
    from orchestrator.services.trust_requests import list_requests

    requests = list_requests(project)
    if tasks:
        requests += _list_checks(project, tasks)
    _print_requests(project, requests)
    asked = {each.key: each.text for each in requests if not each.is_trusted and each.text}
    if not asked:
        return
    if is_inside_run():
        raise UsageError("a run must not trust settings by itself", "use another terminal")
    if not yes and not sys.stdin.isatty():
        raise UsageError(
            "nothing was trusted: there is no terminal to ask on", "confirm with --yes"
        )
    if yes or click.confirm(f"Trust this in {_format(project)}?", default=False):
        trust_values(project, asked)
        click.echo(f"trusted in {_format(project)}: {_format(', '.join(asked))}")
    else:
        click.echo("nothing was trusted")


def _list_checks(project: Path, source: str) -> "list[Request]":
    from orchestrator.services.task_checks import list_check_requests
    from orchestrator.services.trust import load_known_config
    from orchestrator.storage.state_directory import resolve_state_directory
    from orchestrator.tasks.reading import read_list

    config = load_known_config(project, None).config
    found = read_list(source, project)
    return list_check_requests(found, project, config, resolve_state_directory())


def _print_requests(project: Path, requests: "Sequence[Request]") -> None:
    if not requests:
        click.echo(f"{_format(project)} asks for no setting that needs your trust")
    for each in requests:
        state = "trusted" if each.is_trusted else "not trusted"
        state = state if each.text else "too large to be trusted"
        first, *rest = each.lines
        click.echo(_format(f"{state}: {first}"))
        for line in rest:
            click.echo(_format(f"    {line}"))


def _print_trusted() -> None:
    from orchestrator.storage.state_directory import resolve_state_directory
    from orchestrator.storage.trust_store import TrustStore

    projects = TrustStore(resolve_state_directory()).list_settings()
    for project, settings in projects.items():
        lines = [str(project), *(f"  {e.since[:10]}  {e.key}: {e.shown}" for e in settings)]
        print_lines(fit_lines(map(_format, lines), find_width()))
    if not projects:
        click.echo("you trust no settings of any project")


def _revoke(project: Path, key: str) -> None:
    from orchestrator.storage.state_directory import resolve_state_directory
    from orchestrator.storage.trust_store import TrustStore

    removed = TrustStore(resolve_state_directory()).revoke(project, key)
    if key and not removed:
        raise UsageError(f"`{key}` of {project} is not trusted", "see `orchestrator trust --list`")
    if removed:
        click.echo(_format(f"no longer trusted in {project}: {', '.join(removed)}"))
    else:
        click.echo(_format(f"you trust no settings of {project}"))


def is_inside_run() -> bool:
    """Return whether an agent or a suite has started this command.

    What it has written must not be trusted by itself.
    """
    from orchestrator.platform.process_tree import MARK
    from orchestrator.storage.location import RUN_VARIABLE

    return any(os.environ.get(name) for name in (RUN_VARIABLE, MARK))


def _format(text: object) -> str:
    """Return a text from a project without secrets and control characters, line by line."""
    return sanitize_text(mask_text(str(text)))
