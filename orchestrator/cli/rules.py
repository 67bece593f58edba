"""`orchestrator rules`: list, show, add, change, approve, reject rules."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.cli.options import (
    add_rule_scope_option,
    add_rule_text_options,
    add_rules_options,
)
from orchestrator.cli.output import iter_wrapped_lines, print_lines
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
    """View and manage the rules.

    The output is a table on a terminal; otherwise, or with --json, it is JSON lines.
    """


@rules.command("list")
@click.option("--all", "everything", is_flag=True, help="Include rules that are not active.")
@add_rules_options
def list_rules(
    everything: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """List the active rules.

    The columns count runs: in how many the rule was active (`runs`), how many of these were solved
    by the first attempt (`first`), and how often the rule's own failure recurred (`recur`).
    `relevant` is the day on which the rule last mattered.
    """
    with _open_manager(project_dir, config_file) as manager:
        found = manager.list_records()
    shown = [each for each in found if everything or each.status.is_active]
    if shown or _should_print_json(as_json):
        _print_records(shown, as_json)
    else:
        click.echo("no rules" if everything else "no active rules")
    waiting = sum(each.status.is_pending for each in found)
    if waiting and not everything and not _should_print_json(as_json):
        click.echo(f"waiting for approval: {waiting}; see `orchestrator rules pending`")


@rules.command()
@add_rules_options
def pending(project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show the rules that await approval, each with the change it would make."""
    with _open_manager(project_dir, config_file) as manager:
        found = [(record, manager.preview_approval(record)) for record in manager.list_pending()]
    for record, diff in found:
        if _should_print_json(as_json):
            click.echo(json.dumps({**_serialize_record(record), "diff": diff}))
            continue
        _print_record(record, as_json)
        click.echo(sanitize_text(diff))
    if not _should_print_json(as_json):
        steps = "Next: `orchestrator rules approve ID` or `orchestrator rules reject ID`"
        click.echo(steps if found else "no rules await approval")


@rules.command()
@click.argument("rule", metavar="ID")
@add_rules_options
def show(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show one rule with its origin and counters."""
    with _open_manager(project_dir, config_file) as manager:
        record = manager.resolve_record(rule)
        _print_record(record, as_json, manager.find_files(record.rule.id))


@rules.command()
@click.argument("rule", metavar="ID")
@add_rules_options
def why(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show a rule with its complete history."""
    with _open_manager(project_dir, config_file) as manager:
        record = manager.resolve_record(rule)
        events, where = manager.list_events(record.rule.id), manager.find_files(record.rule.id)
    if _should_print_json(as_json):
        history = [{"at": e.at.isoformat(), "what": e.what, "detail": e.detail} for e in events]
        click.echo(json.dumps({**_serialize_record(record), "events": history}))
        return
    _print_record(record, as_json, where)
    for event in events:
        text = f"{event.what}: {event.detail}" if event.detail else event.what
        label = f"  {event.at.astimezone():%Y-%m-%d %H:%M}  "
        print_lines(iter_wrapped_lines(label, sanitize_text(text)))


@rules.command()
@add_rule_text_options
@add_rule_scope_option
@add_rules_options
def add(
    rule: str,
    when: str,
    why: str,
    paths: tuple[str, ...],
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Add a rule of your own, and activate it."""
    from teacher.models import RuleText

    with _open_manager(project_dir, config_file, adding=True) as manager:
        _print_result(manager, manager.add_rule(RuleText(rule, when, why), paths), as_json)


@rules.command()
@click.argument("identity", metavar="ID")
@add_rule_text_options
@add_rule_scope_option
@add_rules_options
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
    """Change a rule's text or scope; its id and history stay the same."""
    from orchestrator.errors import UsageError
    from teacher.models import RuleText

    if not (rule or when or why or paths):
        raise UsageError("there is nothing to change", "add --rule, --when, --why or --path")
    with _open_manager(project_dir, config_file) as manager:
        _print_result(
            manager, manager.edit_rule(identity, RuleText(rule, when, why), paths), as_json
        )


@rules.command()
@click.argument("rule", metavar="ID")
@add_rules_options
def retire(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Move a rule from the file to the archive."""
    with _open_manager(project_dir, config_file) as manager:
        _print_result(manager, manager.retire_rule(rule), as_json)


@rules.command()
@click.argument("rule", metavar="ID")
@add_rules_options
def restore(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Reactivate a rule that was removed from the file."""
    with _open_manager(project_dir, config_file, adding=True) as manager:
        _print_result(manager, manager.restore_rule(rule), as_json)


@rules.command()
@click.argument("rule", metavar="ID")
@add_rules_options
def reject(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Reject a rule permanently, so that it is never learned again."""
    with _open_manager(project_dir, config_file) as manager:
        _print_result(manager, manager.reject_rule(rule), as_json)


@rules.command()
@click.argument("rule", metavar="ID")
@click.option("--commit", "as_commit", is_flag=True, help="Commit the rule and no other changes.")
@add_rules_options
def approve(
    rule: str, as_commit: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """Activate a pending rule; rules that it contradicts are archived."""
    from orchestrator.platform.project import resolve_project
    from orchestrator.rulebook.committing import check_committable, commit_rule
    from orchestrator.services.rulebooks import open_commit_notes
    from orchestrator.storage.state_directory import resolve_state_directory

    with _open_manager(project_dir, config_file, adding=True) as manager:
        if not as_commit:
            _print_result(manager, manager.approve_rule(rule), as_json)
            return
        notes = open_commit_notes(resolve_project(project_dir), resolve_state_directory())
        with notes.promise_commit(manager.resolve_record(rule).rule.id) as promise:

            def check(paths: Sequence[Path]) -> None:
                check_committable(paths)
                promise.record_files(paths)

            done = manager.approve_rule(rule, check)
            _print_result(manager, done, as_json)
            click.echo(f"committed as {commit_rule(done.files, done.record)}", err=True)


@contextmanager
def _open_manager(
    project_dir: Path, config_file: Path | None, *, adding: bool = False
) -> "Iterator[RuleManager]":
    """Open the project's rules; `adding` first checks that Claude Code loads their file."""
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
    """Open the project's rulebook; `adding` first checks that Claude Code loads its file."""
    from orchestrator.platform.project import resolve_project
    from orchestrator.services import rulebooks
    from orchestrator.services.trust import RULES, load_trusted_config
    from orchestrator.storage.opening import open_database
    from orchestrator.storage.state_directory import resolve_state_directory

    project = resolve_project(project_dir)
    config = load_trusted_config(project, config_file, overrides, of=RULES).config
    if adding:
        rulebooks.require_loaded(config, project)
    with open_database(resolve_state_directory()) as database:
        yield rulebooks.open_rulebook(config, project, database, _print_notice)


def _print_notice(event: "Event") -> None:
    from orchestrator.events import Notice

    if isinstance(event, Notice):
        click.echo(sanitize_text(event.text), err=True)


def _should_print_json(as_json: bool) -> bool:
    return as_json or not sys.stdout.isatty()


def _print_records(records: "Sequence[RuleRecord]", as_json: bool) -> None:
    if _should_print_json(as_json):
        print_lines(json.dumps(_serialize_record(record)) for record in records)
        return
    click.echo(f"{'id':<9} {'status':<11} {'runs':>4} {'first':>5} {'recur':>5}  relevant    rule")
    for each in records:
        count, day = each.counters, each.mattered.astimezone()
        scope = f" (for {', '.join(each.rule.paths)})" if each.rule.paths else ""
        label = (
            f"{each.rule.id:<9} {each.status:<11} {count.runs:>4} {count.first_passes:>5} "
            f"{count.recurrences:>5}  {day:%Y-%m-%d}  "
        )
        print_lines(iter_wrapped_lines(label, sanitize_text(each.rule.text.rule + scope)))


def _print_result(manager: "RuleManager", done: "ChangeResult", as_json: bool) -> None:
    _print_record(done.record, as_json, manager.find_files(done.record.rule.id))
    for rule in done.archived_rules:
        click.echo(sanitize_text(f"archived: {rule.id}: {rule.text.rule}"), err=True)
    if done.warning:
        click.echo(sanitize_text(f"warning: {done.warning}"), err=True)


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
    about = {"about": _describe_subject(record)}
    return {"id": record.rule.id, **vars(record), "rule": rule, **about, **parts, **moments}


def _describe_subject(record: "RuleRecord") -> str:
    from orchestrator.rulebook.screening.screen import screen

    return screen(record.rule.text, record.rule.paths).subject.value


def _iter_record_lines(record: "RuleRecord", where: "Sequence[Path]" = ()) -> Iterator[str]:
    text, origin, count = record.rule.text, record.origin, record.counters
    facts = {
        "status": f"{record.status}: {record.reason}" if record.reason else record.status,
        "rule": text.rule,
        "when": text.when,
        "why": text.why,
        "about": _describe_subject(record),
        "for": ", ".join(record.rule.paths),
        "in": ", ".join(map(str, where)),
        "source": record.rule.source,
        "run": origin.run,
        "summary": origin.summary,
        "cases": ", ".join(origin.cases),
        "failure": origin.failure,
        "files": ", ".join(origin.files),
        "model": origin.model,
        "counters": f"runs: {count.runs}, solved at the first attempt: {count.first_passes}, "
        f"recurrences of its failure: {count.recurrences}",
        "relevant": f"{record.mattered.astimezone():%Y-%m-%d %H:%M}",
        "enforce": record.suggestion,
    }
    yield record.rule.id
    for name, value in facts.items():
        if value:
            yield from iter_wrapped_lines(f"  {name:<9} ", sanitize_text(value))
