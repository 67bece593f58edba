"""`orchestrator review`: review past sessions, and decide about what was proposed."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from orchestrator.cli import proposal_lines
from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import (
    add_queue_options,
    add_rule_text_options,
    as_json,
    config_file,
    find_project,
    project_or_all,
)
from orchestrator.cli.output import find_width, fit_lines, print_error, print_lines
from orchestrator.cli.review_schedule import schedule
from orchestrator.cli.since import parse_past_time
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UsageError
from orchestrator.masking.visible_text import flatten_text

if TYPE_CHECKING:
    from orchestrator.events import Event
    from orchestrator.proposals.decisions import DecisionResult, ProposalManager
    from orchestrator.proposals.queue import QueueItem


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.option(
    "--since",
    type=parse_past_time,
    metavar="TIME",
    help="Start of the period: `24h`, `7d`, `2026-11-28` [default: the last review, a day at "
    "least; at first, review.lookback_days].",
)
@click.option("--due", "only_due", is_flag=True, help="Only if the last review is 20 hours ago.")
@click.option(
    *("--project", "--project-dir", "project"),
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="The project [default: as for `run`].",
)
@click.option("--all", "everything", is_flag=True, help="Review all projects.")
@click.option("--dry-run", is_flag=True, help="Only show what would be proposed.")
@as_json
@click.pass_context
def review(
    context: click.Context,
    since: datetime | None,
    only_due: bool,
    project: Path | None,
    everything: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Review past sessions of Claude Code, and decide about what was proposed.

    Without a command: copies new transcripts to the archive, finds what went wrong again and again,
    and proposes what should be learned. The counts need no model; the teacher is asked about
    `review.max_lessons` findings at most, and without a key or login its part waits.

    A proposal is a rule, a skill, a permission or a check. Nothing that was found is active before
    you accept it, and what you reject never comes back.
    """
    if name := context.invoked_subcommand:
        return _require_no_options(context, name)
    from orchestrator.cli.review_run import run_review_command

    if everything and project:
        raise UsageError("--project and --all exclude each other", "give one of them")
    return run_review_command(
        None if everything else find_project(project, only_reads=True),
        since,
        only_due=only_due,
        dry_run=dry_run,
        as_json=as_json,
    )


def _require_no_options(context: click.Context, name: str) -> None:
    """Reject options before the name of a command, which would not reach it."""
    given = [
        each.opts[0]
        for each in context.command.params
        if each.name
        and context.get_parameter_source(each.name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise UsageError(
            f"`{name}` is a command, so its options come after it: {', '.join(given)}",
            f"see its options: orchestrator review {name} --help",
        )


review.add_command(schedule)


@review.command("list")
@project_or_all
@click.option("--decided", is_flag=True, help="Include what was accepted or rejected.")
@config_file
@as_json
def list_proposals(
    project_dir: Path, everything: bool, decided: bool, config_file: Path | None, as_json: bool
) -> None:
    """List what waits for you: proposals and pending rules, each once."""
    if everything and project_dir != Path():
        raise UsageError("--project and --all exclude each other", "give one of them")
    if everything:
        _list_everywhere(as_json, is_open=not decided)
        return
    with _open_manager(project_dir, config_file) as manager:
        items = manager.list_items(is_open=not decided)
        project = str(manager.project)
    if as_json:
        print_lines(json.dumps(proposal_lines.serialize_item(each, project)) for each in items)
        return
    _print_table(items)


@review.command()
@click.argument("identity", metavar="ID")
@add_queue_options
def show(identity: str, project_dir: Path, config_file: Path | None, as_json: bool) -> None:
    """Show a proposal with its evidence and the exact change."""
    with _open_manager(project_dir, config_file, may_be_gone=True) as manager:
        _print_item(manager, manager.resolve_item(identity), as_json)


@review.command()
@click.argument("identities", metavar="ID...", nargs=-1, required=True)
@add_queue_options
def accept(
    identities: tuple[str, ...], project_dir: Path, config_file: Path | None, as_json: bool
) -> None:
    """Carry out proposals: write the rule, the skill or the permission."""
    with _open_manager(project_dir, config_file, adding=True) as manager:
        _decide_all(manager, identities, manager.accept, as_json)


@review.command()
@click.argument("identities", metavar="ID...", nargs=-1, required=True)
@click.option("--reason", default="", metavar="TEXT", help="Why, for the record.")
@add_queue_options
def reject(
    identities: tuple[str, ...],
    reason: str,
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Reject proposals for good; what an accepted one has written is removed again."""
    from orchestrator.masking import mask_line

    text = mask_line(reason, 400)
    with _open_manager(project_dir, config_file, may_be_gone=True) as manager:
        _decide_all(manager, identities, lambda each: manager.reject(each, text), as_json)


@review.command()
@click.argument("identity", metavar="ID")
@add_rule_text_options
@add_queue_options
def edit(
    identity: str,
    rule: str,
    when: str,
    why: str,
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Change a proposal before you accept it, in your editor or by options.

    The editor is $VISUAL or $EDITOR. It gets the three parts of a rule, the whole SKILL.md, or the
    list of permission rules. The change that accepting would make is shown afterwards.
    """
    from orchestrator.services.proposal_editing import edit_proposal
    from teacher.models import RuleText

    with _open_manager(project_dir, config_file) as manager:
        if rule or when or why:
            done = manager.edit_rule(identity, RuleText(rule, when, why))
        else:
            done = edit_proposal(manager, identity)
        if done.warning:
            print_error(sanitize_text(f"warning: {done.warning}"))
        _print_item(manager, done.item, as_json)


def _list_everywhere(as_json: bool, *, is_open: bool) -> None:
    from orchestrator.services.proposals import list_all_items

    def report(line: str) -> None:
        click.echo(flatten_text(line), err=True)

    found = list_all_items(report, is_open=is_open)
    if as_json:
        print_lines(
            json.dumps(proposal_lines.serialize_item(item, project)) for project, item in found
        )
        return
    for project in dict.fromkeys(project for project, _ in found):
        click.echo(flatten_text(f"{project}:"))
        items = [item for each, item in found if each == project]
        print_lines(proposal_lines.iter_list_lines(items, find_width()))
    _print_steps([item for _, item in found])


def _print_table(items: "Sequence[QueueItem]") -> None:
    if items:
        print_lines(proposal_lines.iter_list_lines(items, find_width()))
    _print_steps(items)


def _print_steps(items: "Sequence[QueueItem]") -> None:
    is_waiting = any(each.is_open for each in items)
    steps = "Next: `orchestrator review show ID`, then `review accept ID` or `review reject ID`"
    print_lines(fit_lines([steps if is_waiting else "nothing waits for you"], find_width()))


def _print_item(manager: "ProposalManager", item: "QueueItem", as_json: bool) -> None:
    is_gone = not manager.project.exists()
    change = manager.preview(item) if item.is_open and not is_gone else ""
    if as_json:
        values = proposal_lines.serialize_item(item, str(manager.project), change)
        click.echo(json.dumps(values))
        return
    where = [] if item.is_open else manager.list_files(item)
    print_lines(proposal_lines.iter_item_lines(item, change, where))
    if step := _describe_step(item, is_gone=is_gone):
        print_lines(fit_lines([sanitize_text(step)], find_width()))


def _describe_step(item: "QueueItem", *, is_gone: bool) -> str:
    from orchestrator.proposals.models import ProposalStatus

    status = item.proposal.status if item.proposal else None
    if is_gone:
        shown = f"`orchestrator review reject {item.id}` with the same --project"
        return f"Next: {shown}" if item.is_open else ""
    if status is ProposalStatus.NEEDS_TEACHER:
        return f"Next: wait for the teacher, or `orchestrator review edit {item.id} --rule TEXT`"
    if item.is_open:
        return f"Next: `orchestrator review accept {item.id}`, or `edit`, or `reject`"
    if item.amended_rule:
        return f"To undo it: see `rules why {item.amended_rule}`, and use `rules edit`"
    if status is ProposalStatus.ACCEPTED:
        return f"To undo it: `orchestrator review reject {item.id}`"
    return ""


def _decide_all(
    manager: "ProposalManager",
    identities: Sequence[str],
    decide: "Callable[[str], DecisionResult]",
    as_json: bool,
) -> None:
    """Decide about proposals one by one; after an error, the rest are named and left alone."""
    from orchestrator.errors import LoopError

    wanted = list(dict.fromkeys(identities))
    for number, identity in enumerate(wanted, 1):
        try:
            done = decide(identity)
        except LoopError:
            if rest := wanted[number:]:
                click.echo(sanitize_text(f"not decided: {', '.join(rest)}"), err=True)
            raise
        _print_decision(manager, done, as_json)


def _print_decision(manager: "ProposalManager", done: "DecisionResult", as_json: bool) -> None:
    item = done.item
    if as_json:
        values = proposal_lines.serialize_item(item, str(manager.project))
        click.echo(json.dumps({**values, "files": [str(path) for path in done.files]}))
    else:
        status = item.proposal.status if item.proposal else item.record and item.record.status
        line = f"{item.id}: {status}: {proposal_lines.describe_item(item)}"
        lines = [line, *(f"  changed: {path}" for path in dict.fromkeys(done.files))]
        if item.record and item.record.suggestion:
            lines.append(f"  to enforce it: {item.record.suggestion}")
        print_lines(fit_lines(map(sanitize_text, lines), find_width()))
    for line in done.archived_rules:
        print_error(sanitize_text(f"archived: {line}"))
    if done.warning:
        print_error(sanitize_text(f"warning: {done.warning}"))


@contextmanager
def _open_manager(
    project_dir: Path, config_file: Path | None, *, adding: bool = False, may_be_gone: bool = False
) -> "Iterator[ProposalManager]":
    """Open the queue of a project.

    Args:
        project_dir: the folder of the project.
        config_file: the configuration that the user named.
        adding: whether something may be added to its rules.
        may_be_gone: whether the record alone is enough, where the folder was moved or deleted.
    """
    from orchestrator.platform.project import resolve_project
    from orchestrator.services.proposals import find_gone_project, open_proposals

    gone = find_gone_project(project_dir) if may_be_gone else None
    if gone:
        print_error(sanitize_text(f"{gone} is gone: read from the record alone"))
    project = gone or resolve_project(project_dir)
    with open_proposals(project, config_file, _print_notice, adding=adding) as manager:
        yield manager


def _print_notice(event: "Event") -> None:
    from orchestrator.events import Notice

    if isinstance(event, Notice):
        click.echo(sanitize_text(event.text), err=True)
