"""`orchestrator learnings`: the group, and its commands that change nothing but entries."""

import json
import sys
from pathlib import Path

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.learnings_init import init
from orchestrator.cli.learnings_promote import promote
from orchestrator.cli.options import as_json, use_global, working_directory
from orchestrator.cli.output import find_width, fit_lines, print_lines
from orchestrator.cli.text_argument import TextCommand
from orchestrator.cli.values import sanitize_text
from orchestrator.errors import UsageError

KINDS = ["ERR", "LRN", "FEAT"]


@click.group(cls=CommandGroup)
def learnings() -> None:
    """Manage the learnings in `.learnings/`: log, review, promote, resume."""


# Claude Code logs an entry in the middle of a session, so `learnings log` must start quickly: every
# command imports what it needs in its own body.
learnings.add_command(init)
learnings.add_command(promote)


@learnings.command(cls=TextCommand)
@click.argument("kind", type=click.Choice(KINDS, case_sensitive=False))
@click.argument("text")
@click.option(
    "--context", default="", metavar="C", help="The situation [default: TEXT's first sentence]."
)
@click.option("--action", default="", metavar="A", help="What was done about it.")
@click.option("--resolved", is_flag=True, help="Mark the entry as resolved. Requires --action.")
@use_global
@working_directory
def log(
    kind: str,
    text: str,
    context: str,
    action: str,
    resolved: bool,
    everywhere: bool,
    project_dir: Path,
) -> None:
    """Log an error, a learning, or a missing feature.

    The kind is ERR for an error, LRN for a learning, FEAT for a missing feature. If an entry has
    the same context, it is updated and its number of occurrences is increased.
    """
    from orchestrator.learnings import entry_log
    from orchestrator.learnings.entries import Kind
    from orchestrator.learnings.workspace import open_workspace

    if resolved and not action:
        raise UsageError("--resolved requires --action", "describe what was done with --action")
    logged = entry_log.log_entry(
        open_workspace(project_dir, everywhere=everywhere),
        Kind(kind.upper()),
        text,
        context=context,
        action=action,
        resolved=resolved,
    )
    verb = "updated" if logged.updated else "logged"
    times = f", {logged.occurrences} occurrences so far" if logged.updated else ""
    reopened = "; it was resolved and is now pending again" if logged.reopened else ""
    click.echo(f"{verb} {logged.id} in {logged.path}{times}{reopened}")


@learnings.command()
@use_global
@as_json
@working_directory
def review(everywhere: bool, as_json: bool, project_dir: Path) -> None:
    """Show recurring problems, pending entries, and totals.

    Tool-call failures that the hook recorded are first turned into entries.
    """
    from orchestrator.cli import learnings_view
    from orchestrator.learnings import review as reviews
    from orchestrator.learnings.workspace import open_workspace

    found = reviews.review_workspace(open_workspace(project_dir, everywhere=everywhere))
    if as_json:
        click.echo(json.dumps(learnings_view.serialize_review(found)))
        return
    print_lines(fit_lines(learnings_view.iter_review_lines(found), find_width()))


@learnings.command()
@click.argument("entry", metavar="ID")
@click.option("--action", default="", metavar="A", help="What was done about it.")
@use_global
@working_directory
def resolve(entry: str, action: str, everywhere: bool, project_dir: Path) -> None:
    """Mark a pending entry as resolved."""
    from orchestrator.learnings.status_changes import resolve_entry as set_resolved
    from orchestrator.learnings.workspace import open_workspace

    workspace = open_workspace(project_dir, everywhere=everywhere)
    resolved = set_resolved(workspace, entry, action)
    click.echo(f"{resolved.id} is resolved: {sanitize_text(resolved.action)}")


@learnings.command()
@click.option("--run-checks", is_flag=True, help="Run the checks named in entries without asking.")
@use_global
@working_directory
def resume(run_checks: bool, everywhere: bool, project_dir: Path) -> None:
    """Find out which operations were completed before an interruption.

    Compares the PENDING operations in the working buffer with the actual state, and updates those
    whose outcome is clear or is determined by a check. A check named in an entry runs only if you
    allow it. The remaining steps are listed last.
    """
    from orchestrator.learnings import resume as resuming
    from orchestrator.learnings.workspace import open_workspace

    def allow(command: str) -> bool:
        question = f"An entry in the buffer names a check: {sanitize_text(command)}\nRun it?"
        return run_checks or (sys.stdin.isatty() and click.confirm(question, default=False))

    workspace = open_workspace(project_dir, everywhere=everywhere)
    found = resuming.verify_pending_steps(workspace, allow)
    if not found.verified:
        click.echo("no operations are pending")
    for verified in found.verified:
        click.echo(f"{verified.finding.upper():<8} {sanitize_text(verified.step.operation)}")
        click.echo(f"         {sanitize_text(verified.evidence)}")
        if verified.finding is resuming.Finding.UNKNOWN:
            click.echo(f"         still PENDING in {workspace.buffer}")
            if verified.step.rollback:
                click.echo(f"         rollback: {sanitize_text(verified.step.rollback)}")
    if found.open_steps:
        click.echo("still to do:")
    for step in found.open_steps:
        click.echo(f"  [ ] {sanitize_text(step)}")


_score_range = click.FloatRange(0, 10)


@learnings.command()
@click.option(
    "--frequency",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Will this recur? Weight 3.",
)
@click.option(
    "--failure-reduction",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Does it prevent real breakage? Weight 3.",
)
@click.option(
    "--user-burden",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="Does it save the user effort? Weight 2.",
)
@click.option(
    "--self-cost",
    type=_score_range,
    required=True,
    metavar="0-10",
    help="How low is the effort? 10 means almost none. Weight 2.",
)
@as_json
@working_directory
def score(
    frequency: float,
    failure_reduction: float,
    user_burden: float,
    self_cost: float,
    as_json: bool,
    project_dir: Path,
) -> None:
    """Decide from four scores whether to act on an idea or defer it.

    Act means: do it without being asked. Defer means: make a note of it. The default threshold is
    50 out of 100; to change it, set VFM_THRESHOLD in the environment, or in a line of the project's
    CLAUDE.md or AGENTS.md.
    """
    from orchestrator.learnings import score as scores

    values = {
        "frequency": frequency,
        "failure reduction": failure_reduction,
        "user burden": user_burden,
        "self cost": self_cost,
    }
    found = scores.score_action(values, project_dir)
    verdict = "act" if found.should_act else "defer"
    if as_json:
        facts = {"total": found.total, "threshold": found.threshold, "verdict": verdict}
        click.echo(json.dumps({**facts, "values": values}))
        return
    for name, weight in scores.WEIGHTS.items():
        click.echo(f"{name:<18} {values[name]:>4g} x {weight} = {values[name] * weight:>3g}")
    limit = f"threshold {found.threshold:g}, {found.origin}"
    click.echo(f"{'total':<18}            {found.total:>3g} -> {verdict} ({limit})")
