"""`orchestrator sessions`: list, show, search and export past sessions of Claude Code."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import as_json
from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.since import parse_past_time

if TYPE_CHECKING:
    from orchestrator.services.sessions import SessionStore
    from orchestrator.sessions.store.listing import SessionSummary
    from orchestrator.sessions.store.scan_results import ScanResult

_MANY: int = 20
"""Sessions from which on a line says that they are being read: it takes a second or more."""
_PROBLEMS_SHOWN: int = 3

_project = click.option(
    *("--project", "--project-dir", "project"),
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Sessions of this project [default: as for `run`].",
)
_everywhere = click.option("--all", "everywhere", is_flag=True, help="Sessions of all projects.")
_since = click.option(
    "--since", type=parse_past_time, metavar="TIME", help="Only newer ones: `7d`, `2026-11-28`."
)


@click.group(cls=CommandGroup)
def sessions() -> None:
    """Show past sessions of Claude Code: your own in the terminal, and those of programs.

    SESSION is the id, the beginning of one, or `last`: that of the project at hand, if it has any.
    Secrets are replaced in all that is shown.
    A session that Claude Code has deleted is shown from the archive, if it was archived before.
    """


@sessions.command("list")
@_project
@_everywhere
@_since
@click.option(
    "--class",
    "kind",
    type=click.Choice(("human", "headless", "own", "subagent")),
    help="Only those of a class; `own` are those that this program started.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    help="Maximum number of sessions to list.",
)
@as_json
def list_command(
    project: Path | None,
    everywhere: bool,
    since: datetime | None,
    kind: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List sessions, those that ended last first.

    TESTS is the outcome of the last suite run in the session that could be read. COST is in US
    dollars, for those of which Claude Code has recorded it. `sessions show` says more.
    """
    from orchestrator.cli import session_lines
    from orchestrator.services.sessions import open_session_store
    from orchestrator.sessions.store.listing import count_sessions, list_sessions, shorten_ids

    with open_session_store() as store:
        _scan(store)
        chosen = _choose_project(store, project, everywhere)
        found = list_sessions(
            store.database, limit=limit, project=chosen, since=since, kind=kind or ""
        )
        if as_json:
            import json

            print_lines(json.dumps(session_lines.build_summary_values(each)) for each in found)
            return
        if not found:
            click.echo(_describe_absence(store, chosen))
            return
        short = shorten_ids(store.database, [each.id for each in found])
        width = find_width()
        print_lines(session_lines.iter_session_table(found, short, width, with_project=not chosen))
        total = count_sessions(store.database, project=chosen, since=since, kind=kind or "")
        if total > len(found):
            click.echo(f"{len(found)} of {total:,} sessions; --limit shows more", err=True)


@sessions.command()
@click.argument("session", default="last")
@click.option("--full", is_flag=True, help="Show whole texts, replies and results, too.")
@as_json
def show(session: str, full: bool, as_json: bool) -> None:
    """Show SESSION: its facts, prompts, tool calls with errors and denials [default: the last]."""
    from orchestrator.cli import session_lines
    from orchestrator.services.sessions import open_session_store

    with open_session_store() as store:
        _scan(store)
        summary = store.find(session)
        entries = store.read_entries(summary)
        if as_json:
            print_lines(session_lines.iter_json_lines(summary, entries))
            return
        width = find_width()
        shown = session_lines.iter_entry_lines(entries, width, full=full)
        head = session_lines.iter_head_lines(summary, store.describe_source(summary))
        print_lines(fit_lines(chain(head, shown), width))


@sessions.command()
@click.argument("text")
@_project
@_everywhere
@_since
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=20,
    show_default=True,
    help="Maximum number of lines to show; at most five of one session.",
)
@as_json
def search(
    text: str,
    project: Path | None,
    everywhere: bool,
    since: datetime | None,
    limit: int,
    as_json: bool,
) -> None:
    """Search TEXT in prompts, replies, inputs and results of tools, in any case.

    The newest sessions come first. Each line has the session, its date, and where the text is.
    """
    from orchestrator.cli import session_lines
    from orchestrator.errors import UsageError
    from orchestrator.services.sessions import open_session_store
    from orchestrator.sessions.store.listing import list_sessions, shorten_ids

    if not text.strip():
        raise UsageError("there is nothing to search for", "give a text")
    with open_session_store() as store:
        _scan(store)
        chosen = _choose_project(store, project, everywhere)
        found = list_sessions(store.database, project=chosen, since=since)
        matches = store.search(found, text)
        if as_json:
            print_lines(map(session_lines.format_match_json, islice(matches, limit)))
            return
        if not found:
            click.echo(_describe_absence(store, chosen))
            return
        short = shorten_ids(store.database, [each.id for each in found])
        shown = 0
        for match in islice(matches, limit):
            shown += 1
            line = session_lines.format_match(match, short[match.session])
            print_lines(fit_lines([line], find_width()))
        if not shown:
            click.echo(
                f"not found in {len(found):,} {'session' if len(found) == 1 else 'sessions'}"
            )
        elif next(matches, None) is not None:
            click.echo("there are more lines; --limit shows them", err=True)


@sessions.command()
@click.argument("session", required=False)
@click.option("--all", "everywhere", is_flag=True, help="Export all sessions.")
@click.option(
    "--format",
    "form",
    type=click.Choice(("md", "jsonl")),
    default="md",
    show_default=True,
    help="Markdown for people, or JSON lines for programs.",
)
@click.option(
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write to this new file, which only you can read [default: standard output].",
)
@click.option(
    "--unredacted", is_flag=True, help="Replace no secrets. Requires --output; the file says so."
)
def export(
    session: str | None, everywhere: bool, form: str, output: Path | None, unredacted: bool
) -> None:
    """Export SESSION with all texts and results; secrets are replaced."""
    from orchestrator.errors import UsageError
    from orchestrator.services.sessions import open_session_store, write_export
    from orchestrator.sessions.store.listing import list_sessions

    if bool(session) == everywhere:
        raise UsageError("give the id of one session, or --all", "`last` is the last one")
    if unredacted and output is None:
        raise UsageError("--unredacted requires --output", "name a file that only you will read")
    with open_session_store() as store:
        _scan(store)
        chosen = list_sessions(store.database) if everywhere else [store.find(session or "")]
        if not chosen:
            click.echo(store.describe_absence(), err=True)
            return
        lines = _iter_export(store, chosen, form, redact=not unredacted, strict=not everywhere)
        if output is None:
            print_lines(lines)
            return
        write_export(output, lines)
        click.echo(f"wrote {output}{', NOT redacted' * unredacted}")


def _iter_export(
    store: "SessionStore",
    chosen: "list[SessionSummary]",
    form: str,
    *,
    redact: bool,
    strict: bool,
) -> Iterator[str]:
    import json

    from orchestrator.cli import session_lines
    from orchestrator.errors import LoopError, UsageError
    from orchestrator.services.sessions import UNREDACTED

    if not redact:
        notice = {"kind": "notice", "text": UNREDACTED}
        yield json.dumps(notice) if form == "jsonl" else f"> **{UNREDACTED}**\n"
    write = session_lines.iter_json_lines if form == "jsonl" else session_lines.iter_markdown_lines
    for each in chosen:
        try:
            entries = store.read_entries(each, redact=redact)
        except LoopError as error:  # what is stored of the session is all that is left
            if strict:
                raise
            if not isinstance(error, UsageError):  # it is not just gone
                click.echo(_sanitize(str(error)), err=True)
            entries = []
        yield from write(each, entries)


def _scan(store: "SessionStore") -> "ScanResult":
    """Read what is new, and say on standard error what takes long and what could not be read."""

    def report(count: int) -> None:
        if count >= _MANY:
            click.echo(f"reading {count:,} sessions that are new or have changed ...", err=True)

    result = store.scan(report)
    for each in result.problems[:_PROBLEMS_SHOWN]:
        click.echo(_sanitize(f"not read: {each.location}: {each.reason}"), err=True)
    if (more := len(result.problems) - _PROBLEMS_SHOWN) > 0:
        click.echo(f"not read: {more} more", err=True)
    return result


def _choose_project(store: "SessionStore", given: Path | None, everywhere: bool) -> str:
    """Return the project whose sessions are meant; empty for those of all projects.

    Raises:
        UsageError: both were given.
    """
    from orchestrator.errors import UsageError
    from orchestrator.sessions.store.session_project import find_session_project

    if everywhere and given is not None:
        raise UsageError("--project and --all exclude each other", "give one of them")
    if everywhere:
        return ""
    if given is None:
        return store.project_at_hand
    return find_session_project(str((store.project / given).absolute()))


def _describe_absence(store: "SessionStore", chosen: str) -> str:
    from orchestrator.sessions.store.listing import count_sessions

    total = count_sessions(store.database)
    if not total:
        return _sanitize(store.describe_absence())
    where = f" of {chosen}" if chosen else ""
    return _sanitize(f"no sessions{where} that match; there are {total:,} in all (--all)")


def _sanitize(text: str) -> str:
    from orchestrator.cli.values import sanitize_text

    return sanitize_text(text)
