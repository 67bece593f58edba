"""`orchestrator rules`: the rules, where they came from, and what became of them."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.run import as_json, config_file, project_directory
from orchestrator.cli.values import sanitize_text

if TYPE_CHECKING:
    from orchestrator.config import Override
    from orchestrator.events import Event
    from orchestrator.rulebook.history import History
    from orchestrator.rulebook.records import RuleRecord
    from orchestrator.rulebook.rule_manager import ChangeResult, RuleManager
    from orchestrator.rulebook.rulebook import MarkdownRulebook


@click.group()
def rules() -> None:
    """See and change the rules: what was learned, and what became of it.

    A table on a terminal, JSON lines otherwise or with --json.
    """


def _common_options(command: Callable[..., None]) -> Callable[..., None]:
    return project_directory(config_file(as_json(command)))


def _text_options(command: Callable[..., None]) -> Callable[..., None]:
    for name, what in (
        ("--why", "The reason."),
        ("--when", "Where it applies."),
        ("--rule", "What to do, or not to do."),
    ):
        command = click.option(name, default="", metavar="TEXT", help=what)(command)
    return command


def _scope_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option(
        "--path",
        "paths",
        multiple=True,
        metavar="GLOB",
        help="Files that it is for; all, if none is given. For rules.target: rules-dir.",
    )(command)


@rules.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that are not in force.")
@_common_options
def list_rules(
    everything: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """List the rules in force."""
    with _open_keeper(project_dir, config_file) as keeper:
        found = keeper.list_records()
    _print_records([each for each in found if everything or each.status.is_active], as_json)


@rules.command()
@_common_options
def pending(project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show the rules that wait for a person, each with what it would change."""
    with _open_keeper(project_dir, config_file) as keeper:
        found = [(record, keeper.preview_approval(record)) for record in keeper.list_pending()]
    for record, diff in found:
        if _should_print_json(as_json):
            click.echo(json.dumps({**_serialize_record(record), "diff": diff}))
            continue
        _print_record(record, as_json)
        click.echo(sanitize_text(diff))
    if not found and not _should_print_json(as_json):
        click.echo("nothing waits")


@rules.command()
@click.argument("rule", metavar="ID")
@_common_options
def show(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show one rule with its origin and its counters."""
    with _open_keeper(project_dir, config_file) as keeper:
        record = keeper.resolve_record(rule)
        _print_record(record, as_json, keeper.find_files(record.rule.id))


@rules.command()
@click.argument("rule", metavar="ID")
@_common_options
def why(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Tell a rule's whole story."""
    with _open_keeper(project_dir, config_file) as keeper:
        record = keeper.resolve_record(rule)
        events, where = keeper.list_events(record.rule.id), keeper.find_files(record.rule.id)
    if _should_print_json(as_json):
        story = [{"at": e.at.isoformat(), "what": e.what, "detail": e.detail} for e in events]
        click.echo(json.dumps({**_serialize_record(record), "events": story}))
        return
    _print_record(record, as_json, where)
    for event in events:
        detail = f": {event.detail}" if event.detail else ""
        click.echo(sanitize_text(f"  {event.at.astimezone():%Y-%m-%d %H:%M}  {event.what}{detail}"))


@rules.command()
@_text_options
@_scope_option
@_common_options
def add(
    rule: str,
    when: str,
    why: str,
    paths: tuple[str, ...],
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Put a rule of your own in force."""
    from teacher.models import RuleText

    with _open_keeper(project_dir, config_file, adding=True) as keeper:
        _print_result(keeper, keeper.add_rule(RuleText(rule, when, why), paths), as_json)


@rules.command()
@click.argument("identity", metavar="ID")
@_text_options
@_scope_option
@_common_options
def edit(
    identity: str,
    rule: str,
    when: str,
    why: str,
    paths: tuple[str, ...],
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Change a rule's text or scope; its id and history stay."""
    from orchestrator.errors import UsageError
    from teacher.models import RuleText

    if not (rule or when or why or paths):
        raise UsageError("nothing to change is given", "give --rule, --when, --why or --path")
    with _open_keeper(project_dir, config_file) as keeper:
        _print_result(keeper, keeper.edit_rule(identity, RuleText(rule, when, why), paths), as_json)


def _register_verb(name: str, help_: str) -> None:
    """A command that does one thing to one rule."""

    @rules.command(name, help=help_)
    @click.argument("rule", metavar="ID")
    @_common_options
    def command(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
        with _open_keeper(project_dir, config_file, adding=name == "restore") as keeper:
            _print_result(keeper, getattr(keeper, f"{name}_rule")(rule), as_json)


_register_verb("retire", "Take a rule out of the file, into the archive.")
_register_verb("restore", "Put a rule that left the file back in force.")
_register_verb("reject", "Turn a rule down for good: it never comes back by itself.")


@rules.command()
@click.argument("rule", metavar="ID")
@click.option("--commit", "as_commit", is_flag=True, help="Commit the rule, and only it.")
@_common_options
def approve(
    rule: str, as_commit: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """Put a rule that waits in force; one that it contradicts leaves."""
    from orchestrator.rulebook.committing import check_committable, commit_rule

    with _open_keeper(project_dir, config_file, adding=True) as keeper:
        done = (
            keeper.approve_rule(rule, check_committable) if as_commit else keeper.approve_rule(rule)
        )
        _print_result(keeper, done, as_json)
    if as_commit:
        click.echo(f"committed as {commit_rule(done.files, done.record)}", err=True)


@contextmanager
def _open_keeper(
    project_dir: Path, config_file: Path | None, *, adding: bool = False
) -> "Iterator[RuleManager]":
    """Open the project's rules, and close them at the end. `adding` checks that all are loaded."""
    from orchestrator.rulebook.rule_manager import RuleManager

    with open_rulebook(project_dir, config_file, adding=adding) as (book, history):
        yield RuleManager(book, history)


@contextmanager
def open_rulebook(
    project_dir: Path,
    config_file: Path | None,
    overrides: "Sequence[Override]" = (),
    *,
    adding: bool,
) -> "Iterator[tuple[MarkdownRulebook, History]]":
    """Open the project's rulebook, and close it at the end. `adding` checks that all are loaded."""
    from orchestrator.config import load_config
    from orchestrator.platform.project import resolve_project
    from orchestrator.services import rulebooks
    from orchestrator.storage.database import Database
    from orchestrator.storage.place import resolve_state_directory

    project = resolve_project(project_dir)
    config = load_config(project, config_file, overrides).config
    if adding:
        rulebooks.require_loaded(config, project)
    with Database(resolve_state_directory()) as database:
        yield rulebooks.open_rulebook(config, project, database, _print_notice)


def _print_notice(event: "Event") -> None:
    from orchestrator.events import Notice

    if isinstance(event, Notice):
        click.echo(sanitize_text(event.text), err=True)


def _should_print_json(as_json: bool) -> bool:
    return as_json or not sys.stdout.isatty()


def _print_records(records: "Sequence[RuleRecord]", as_json: bool) -> None:
    if _should_print_json(as_json):
        for record in records:
            click.echo(json.dumps(_serialize_record(record)))
        return
    click.echo(f"{'id':<9} {'status':<11} {'runs':>4} {'first':>5} {'again':>5}  mattered    rule")
    for each in records:
        count, day = each.counters, each.mattered.astimezone()
        scope = f" (for {', '.join(each.rule.paths)})" if each.rule.paths else ""
        click.echo(
            f"{each.rule.id:<9} {each.status:<11} {count.runs:>4} {count.first_passes:>5} "
            f"{count.recurrences:>5}  {day:%Y-%m-%d}  {sanitize_text(each.rule.text.rule + scope)}"
        )


def _print_result(keeper: "RuleManager", done: "ChangeResult", as_json: bool) -> None:
    _print_record(done.record, as_json, keeper.find_files(done.record.rule.id))
    for rule in done.archived_rules:
        click.echo(sanitize_text(f"to the archive for it: {rule.id}: {rule.text.rule}"), err=True)
    if done.warning:
        click.echo(sanitize_text(f"careful: {done.warning}"), err=True)


def _print_record(record: "RuleRecord", as_json: bool, where: "Sequence[Path]" = ()) -> None:
    lines = (
        [json.dumps(_serialize_record(record))]
        if _should_print_json(as_json)
        else _iter_record_lines(record, where)
    )
    for line in lines:
        click.echo(line)


def _serialize_record(record: "RuleRecord") -> dict[str, Any]:
    rule = {**vars(record.rule), "text": vars(record.rule.text)}
    parts = {name: vars(getattr(record, name)) for name in ("origin", "proposal", "counters")}
    moments = {name: getattr(record, name).isoformat() for name in ("learned", "mattered")}
    return {"id": record.rule.id, **vars(record), "rule": rule, **parts, **moments}


def _iter_record_lines(record: "RuleRecord", where: "Sequence[Path]" = ()) -> Iterator[str]:
    text, origin, count = record.rule.text, record.origin, record.counters
    facts = {
        "status": f"{record.status}: {record.reason}" if record.reason else record.status,
        "rule": text.rule,
        "when": text.when,
        "why": text.why,
        "for": ", ".join(record.rule.paths),
        "in": ", ".join(map(str, where)),
        "source": record.rule.source,
        "run": origin.run,
        "failed": origin.summary,
        "failing": ", ".join(origin.cases),
        "failure": origin.failure,
        "files": ", ".join(origin.files),
        "model": origin.model,
        "counted": f"{count.runs} runs, {count.first_passes} solved at the first attempt, "
        f"its failure came back {count.recurrences} times",
        "mattered": f"{record.mattered.astimezone():%Y-%m-%d %H:%M}",
        "enforce": record.suggestion,
    }
    yield record.rule.id
    for name, value in facts.items():
        if value:
            yield sanitize_text(f"  {name:<9} {value}")
