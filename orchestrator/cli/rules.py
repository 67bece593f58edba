"""`orchestrator rules`: list, show, add, change, approve, reject rules."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import rule_lines
from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.durations import parse_duration
from orchestrator.cli.options import (
    add_rule_scope_option,
    add_rule_text_options,
    add_rules_options,
)
from orchestrator.cli.output import find_width, print_lines
from orchestrator.cli.values import sanitize_text

if TYPE_CHECKING:
    from datetime import timedelta

    from orchestrator.config import Override
    from orchestrator.events import Event
    from orchestrator.models import Rule
    from orchestrator.rulebook.history import History
    from orchestrator.rulebook.records import RuleRecord
    from orchestrator.rulebook.rule_manager import ChangeResult, RuleManager
    from orchestrator.rulebook.rulebook import MarkdownRulebook


@click.group(cls=CommandGroup)
def rules() -> None:
    """View and manage the rules.

    With --json, each rule is one line of JSON: its `id`, `rule`, `when`, `why` and counters.
    """


@rules.command("list")
@click.option("--all", "everything", is_flag=True, help="Include rules that are not active.")
@add_rules_options
def list_rules(
    everything: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """List the active rules, and those that you wrote into a file and did not adopt.

    The columns count runs: in how many the rule was active (`runs`), how many of these were solved
    by the first attempt (`first`), and how often the rule's own failure recurred (`recur`).
    `relevant` is the day on which the rule last mattered.
    """
    with _open_manager(project_dir, config_file) as manager:
        found, hand_written = manager.list_records(), manager.list_hand_written()
    shown = [each for each in found if everything or each.status.is_active]
    if as_json:
        _print_json_list(shown, hand_written)
        return
    if shown or hand_written:
        print_lines(rule_lines.iter_list_lines(shown, hand_written, find_width()))
    else:
        click.echo("no rules" if everything else "no active rules")
    waiting = sum(each.status.is_pending for each in found)
    if waiting and not everything:
        click.echo(f"waiting for approval: {waiting}; see `orchestrator rules pending`")
    if hand_written:
        click.echo(
            f"written by hand, and left alone: {len(hand_written)}; "
            "to adopt one: orchestrator rules adopt ID"
        )


def _print_json_list(records: "Sequence[RuleRecord]", hand_written: "Sequence[Rule]") -> None:
    values = [
        *(rule_lines.serialize_record(each, _describe_subject(each.rule)) for each in records),
        *(
            rule_lines.serialize_hand_written(rule, _describe_subject(rule))
            for rule in hand_written
        ),
    ]
    print_lines(map(json.dumps, values))


@rules.command()
@add_rules_options
def pending(project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show the rules that await approval, each with the change it would make."""
    with _open_manager(project_dir, config_file) as manager:
        found = [(record, manager.preview_approval(record)) for record in manager.list_pending()]
    for record, diff in found:
        if as_json:
            values = rule_lines.serialize_record(record, _describe_subject(record.rule))
            click.echo(json.dumps({**values, "diff": diff}))
            continue
        _print_record(record, as_json)
        click.echo(sanitize_text(diff))
    if not as_json:
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
    if as_json:
        history = [{"at": e.at.isoformat(), "what": e.what, "detail": e.detail} for e in events]
        values = rule_lines.serialize_record(record, _describe_subject(record.rule))
        click.echo(json.dumps({**values, "events": history}))
        return
    _print_record(record, as_json, where)
    print_lines(rule_lines.iter_event_lines(record, events))


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
@click.argument("rule", metavar="ID")
@add_rules_options
def adopt(rule: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Make a rule that you wrote into a file an active one.

    Its text stays as it is; the comment that is put before it gives it an id and a history.
    """
    with _open_manager(project_dir, config_file) as manager:
        _print_result(manager, manager.adopt_rule(rule), as_json)


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


@rules.command()
@click.option(
    "--idle",
    default="30d",
    show_default=True,
    metavar="TIME",
    callback=parse_duration,
    help="Time without preventing anything, as in 30d or 6w.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be archived, and change nothing.")
@add_rules_options
def archive(
    idle: "timedelta", dry_run: bool, project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """Archive the rules that have prevented nothing for a while.

    They are written, with their history, to a file of the month in .learnings/archive, and can be
    restored: `orchestrator rules restore ID`.
    """
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.rule_archive import archive_idle_rules

    with open_rulebook(project_dir, config_file, adding=False) as (book, history):
        done = archive_idle_rules(
            resolve_project(project_dir), book, history, idle, lambda _line: None, dry_run=dry_run
        )
    file = str(done.file) if done.found.idle else ""
    if as_json:
        click.echo(json.dumps(rule_lines.serialize_idle(done.found, file, dry_run=dry_run)))
        return
    print_lines(rule_lines.iter_idle_lines(done.found, file, dry_run=dry_run))


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


def _print_result(manager: "RuleManager", done: "ChangeResult", as_json: bool) -> None:
    _print_record(done.record, as_json, manager.find_files(done.record.rule.id))
    for rule in done.archived_rules:
        click.echo(sanitize_text(f"archived: {rule.id}: {rule.text.rule}"), err=True)
    if done.warning:
        click.echo(sanitize_text(f"warning: {done.warning}"), err=True)


def _print_record(record: "RuleRecord", as_json: bool, where: "Sequence[Path]" = ()) -> None:
    about = _describe_subject(record.rule)
    if as_json:
        click.echo(json.dumps(rule_lines.serialize_record(record, about)))
    else:
        print_lines(rule_lines.iter_record_lines(record, about, where))


def _describe_subject(rule: "Rule") -> str:
    from orchestrator.rulebook.screening.screen import screen

    return screen(rule.text, rule.paths).subject.value
