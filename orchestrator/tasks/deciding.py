"""Decide what a run that ended means for its task: only suite and check have a say."""

from dataclasses import dataclass
from typing import Final

from orchestrator.counts import format_count, name_first
from orchestrator.models import RunOutcome
from orchestrator.tasks.models import TaskEnd, TaskRecord, TaskState

_FAILURES: Final = (RunOutcome.NOT_SOLVED, RunOutcome.NOTHING_CHANGED, RunOutcome.PAUSED)
"""Outcomes of a run that say something about the task."""


@dataclass(frozen=True)
class Decision:
    """Where a task stands after a run."""

    state: TaskState
    reason: str = ""
    solved: bool = False
    """Whether its work may land."""
    failed: bool = False
    """Whether the run counts as a failure of the task."""
    stop: str = ""
    """Why the whole list has to stop; empty if it goes on."""


def decide_end(record: TaskRecord, end: TaskEnd, max_failures: int) -> Decision:
    """Return what the end of a run means for its task.

    Args:
        record: the task, as it stood while it ran.
        end: what came of the run; not one that was interrupted and goes on.
        max_failures: runs that may fail before the task is quarantined.
    """
    if end.check_passed_before:
        reason = "its check passes already, so no agent was started: is it done?"
        return Decision(TaskState.NEEDS_PERSON, reason)
    # Without a change, too, the tests may pass: then nothing failed.
    passes = end.outcome is RunOutcome.NOTHING_CHANGED and not end.failing
    if end.outcome is RunOutcome.SOLVED or passes:
        return _decide_solved(record, end, max_failures)
    if end.outcome is RunOutcome.INTERRUPTED and record.after:
        reason = f"paused for {record.after}, which changed the same lines"
        return Decision(TaskState.WAITING, reason)
    if end.outcome in _FAILURES:
        return _decide_failed(record, describe_failure(end), max_failures)
    # It says nothing about the task: no agent, no network, a limit, a suite without a verdict.
    message = end.message or f"a run ended: {end.outcome}"
    return Decision(TaskState.WAITING, message, stop=message)


def describe_failure(end: TaskEnd) -> str:
    """Return why a run did not solve its task, in one line."""
    if not end.failing:
        return end.message or str(end.outcome)
    named = name_first(end.failing)
    fails = "fails" if len(end.failing) == 1 else "fail"
    return f"{named} {fails}" + (f"; {end.message}" if end.message else "")


def _decide_solved(record: TaskRecord, end: TaskEnd, max_failures: int) -> Decision:
    if end.check_failed:
        return _decide_failed(record, f"its check fails: {end.check_failed}", max_failures)
    if not end.changed and not record.item.no_change:
        reason = "the tests pass, but nothing was changed: if that is right, mark it no-change"
        return Decision(TaskState.NEEDS_PERSON, reason)
    return Decision(TaskState.MERGING, solved=True)


def _decide_failed(record: TaskRecord, reason: str, max_failures: int) -> Decision:
    failures = record.failures + 1
    if failures < max_failures:
        return Decision(TaskState.WAITING, reason, failed=True)
    times = format_count(failures, "run")
    return Decision(TaskState.QUARANTINED, f"{times} did not solve it: {reason}", failed=True)
