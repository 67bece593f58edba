"""Print the plan of a run: its suite, its limits, its guard, and whose work it starts from."""

from collections.abc import Iterator

from orchestrator.cli.values import format_dollars, format_duration
from orchestrator.counts import format_count
from orchestrator.models import RunPlan


def iter_plan_parts(plan: RunPlan, run: str = "") -> Iterator[tuple[str, str]]:
    """Yield the label and the text of each line.

    Args:
        plan: the plan.
        run: the run's id; empty if it is not started.
    """
    is_named = plan.command.removeprefix('"').startswith(plan.program)
    program = "" if is_named else f", run by {plan.program}"
    timeout = f"time limit {format_duration(plan.timeout_seconds)} (tests.timeout)"
    yield "Suite", f"{plan.command}{program}; {timeout}"
    yield "Limits", f"{_describe_limits(plan)}; paid by {plan.payers}"
    yield "Guard", plan.guard
    if plan.uncommitted_files and not plan.is_isolated:
        files = format_count(plan.uncommitted_files, "file")
        them = "it" if plan.uncommitted_files == 1 else "them"
        are = "it is" if plan.uncommitted_files == 1 else "they are"
        undo = f"`orchestrator undo {run}`" if run else "`orchestrator undo`"
        yield "Files", f"{files} not committed; {undo} brings {them} back as {are} now"


def _describe_limits(plan: RunPlan) -> str:
    attempts = format_count(plan.max_attempts, "attempt")
    turns = f" of {format_count(plan.max_turns, 'turn')}" if plan.max_turns else ""
    cost = f", {format_dollars(plan.max_cost_usd)} in all" if plan.max_cost_usd else ", any cost"
    return f"at most {attempts}{turns}{cost}"
