"""`orchestrator tasks clean`: delete what finished lists have left in the state directory."""

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.task_options import load_summary
from orchestrator.counts import format_count
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.tasks.models import Leftover


@click.command()
@click.argument("identity", metavar="[LIST]", default="")
@click.option("--yes", is_flag=True, help="Delete it without asking.")
@click.option(
    "--project-dir",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Only lists of this project [default: those of all projects].",
)
def clean(identity: str, yes: bool, project_dir: Path | None) -> None:
    """Show what lists have left in the state directory, and delete what is not needed.

    Lanes of lists that are at work are not touched. Work that has not landed is listed and kept,
    with its ref and the command that shows it.
    """
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.task_cleaning import list_leftovers, remove_leftovers

    only = load_summary(identity, project_dir).record.id if identity else ""
    project = None if project_dir is None else resolve_project(project_dir)
    found = [each for each in list_leftovers(project) if only in ("", each.list_id)]
    removable = [each for each in found if each.removable]
    retained = [each for each in found if not each.removable]
    print_lines(fit_lines(_iter_lines(removable, retained), find_width()))
    if removable and _confirm(yes):
        removed = remove_leftovers(removable)
        size = sum(each.size for each in removed)
        click.echo(f"deleted {format_count(len(removed), 'item')}, {size / 1e6:.1f} MB")


def _confirm(yes: bool) -> bool:
    """Return whether the user wants it.

    Raises:
        UsageError: nobody can be asked.
    """
    if yes:
        return True
    if not sys.stdin.isatty():
        raise UsageError(
            "nothing was deleted: there is no terminal to ask on", "confirm with --yes"
        )
    return click.confirm("Delete this?", default=False)


def _iter_lines(removable: "Sequence[Leftover]", retained: "Sequence[Leftover]") -> Iterator[str]:
    from orchestrator.cli.task_lines import clean_line

    if not removable and not retained:
        yield "no list has left anything"
        return
    size = sum(each.size for each in removable) / 1e6
    if removable:
        yield f"to delete, {size:.1f} MB:"
        yield from map(_describe, removable)
    else:
        yield "nothing can be deleted"
    if retained:
        yield "kept, because it has not landed or is in use:"
    for each in retained:
        yield _describe(each)
        if each.ref:
            yield f"    ref   {clean_line(each.ref)}"
        if each.command:
            yield f"    see   {clean_line(each.command, 1000)}"


def _describe(leftover: "Leftover") -> str:
    from orchestrator.cli.task_lines import clean_line

    path, why = clean_line(str(leftover.path), 1000), clean_line(leftover.reason)
    return f"  {leftover.list_id}  {leftover.kind}  {path}{f': {why}' if why else ''}"
