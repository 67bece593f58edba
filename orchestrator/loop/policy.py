"""Decides what the next attempt is asked, and when a run ends."""

from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final

from orchestrator.errors import with_hint
from orchestrator.failures.suite_failure import build_retry_prompt
from orchestrator.loop.stuck import find_stuck_reason
from orchestrator.models import (
    AgentLimits,
    AgentOutcome,
    AgentResult,
    Attempt,
    RunOutcome,
    RunResult,
    Task,
    VerdictKind,
)
from orchestrator.verdict.task_text import mentions_file

_AGENT_HINTS: Final = {
    AgentOutcome.MAX_COST: "raise limits.max_cost_usd for a new run",
    AgentOutcome.WALL_CLOCK: "resume it, or raise limits.wall_clock for a new run",
    AgentOutcome.NO_OUTPUT: "check why it was silent, or raise limits.no_output for a new run",
    AgentOutcome.API_ERROR: "once that is corrected, `orchestrator resume`",
    AgentOutcome.NOT_LOGGED_IN: "correct that, then `orchestrator resume`",
    AgentOutcome.USAGE_LIMIT: "wait until the limit resets, then `orchestrator resume`",
    AgentOutcome.REFUSED: "reword the task",
    AgentOutcome.CRASHED: "read its standard error with `orchestrator runs show`",
}


@dataclass(frozen=True)
class Policy:
    """The limits of a run.

    Args:
        max_retries: how many judged attempts may follow the first one.
        auto_retry: whether a retry starts at once; if not, the run pauses after each attempt.
        retry_from_start: whether the edits of a failed attempt are reverted before the next one.
        stuck_after: how many attempts in a row may bring nothing new; None for any number.
        limits: the limits of each attempt's agent.
    """

    max_retries: int = 3
    auto_retry: bool = True
    retry_from_start: bool = False
    stuck_after: int | None = None
    limits: AgentLimits = field(default_factory=AgentLimits)

    def next_prompt(self, task: Task, run: RunResult) -> str:
        """Return the prompt of the next attempt: the task, and how the tests failed last time."""
        judged = [attempt for attempt in run.attempts if attempt.report]
        if not judged:
            return task.prompt
        return build_retry_prompt(task, judged[-1], edits_retained=not self.retry_from_start)

    def count_max_attempts(self, run: RunResult) -> int:
        """Return how many attempts there can be; one that was not judged is not charged."""
        return self.max_retries + 1 + sum(each.report is None for each in run.attempts)

    def decide_outcome(self, run: RunResult, task: Task, *, fresh: bool) -> RunResult:
        """Return the run with its outcome, or unchanged if another attempt follows.

        Args:
            run: the run with its last attempt.
            task: what is to be done.
            fresh: whether this process made that attempt, or a part of it. What stopped an
                earlier process is tried again, and a paused run is resumed.
        """
        attempt = run.attempts[-1]
        if attempt.is_solved:
            return end_run(run, RunOutcome.SOLVED, attempt.verdict.text if attempt.verdict else "")
        verdict = attempt.verdict
        unchanged = verdict if verdict and verdict.kind is VerdictKind.NOTHING_CHANGED else None
        if unchanged and not _can_do_better(run, task):
            return end_run(run, RunOutcome.NOTHING_CHANGED, unchanged.text)
        if why := blocking_reason(attempt):
            return end_run(run, RunOutcome.STOPPED, why) if fresh else run
        stop_reason = self._find_stop_reason(run, task)
        if stop_reason is not None:
            outcome = RunOutcome.NOTHING_CHANGED if unchanged else RunOutcome.NOT_SOLVED
            return end_run(run, outcome, unchanged.text if unchanged else stop_reason)
        if not self.auto_retry and fresh:
            return end_run(run, RunOutcome.PAUSED)
        return run

    def _find_stop_reason(self, run: RunResult, task: Task) -> str | None:
        """Return why another attempt makes no sense; None if it does."""
        verdict = run.attempts[-1].verdict
        if verdict and verdict.kind in (VerdictKind.EXIT_STATUS, VerdictKind.NOTHING_PASSES):
            return verdict.text
        if sum(each.report is not None for each in run.attempts) > self.max_retries:
            return ""
        return find_stuck_reason(task, run, self.stuck_after) or None


def _can_do_better(run: RunResult, task: Task) -> bool:
    """Return whether an agent that edited only guarded files may do better when it hears of it."""
    *earlier, last = run.attempts
    informed = any(
        each.verdict and each.verdict.kind is VerdictKind.NOTHING_CHANGED for each in earlier
    )
    names = {name for path in last.restored_paths for name in (path, PurePosixPath(path).name)}
    asked = any(mentions_file(task.text, name) for name in names)
    return bool(last.restored_paths) and not (informed or asked)


def blocking_reason(attempt: Attempt) -> str:
    """Return why only a person can get the run going again; empty if the loop can go on."""
    if not attempt.agent.outcome.has_worked:
        return describe_agent_failure(attempt.agent)
    if attempt.verdict and attempt.verdict.kind in (VerdictKind.ENVIRONMENT, VerdictKind.VOID):
        return attempt.verdict.text
    if attempt.teaching and not attempt.teaching.answered:
        return f"the teacher gave no lesson: {attempt.teaching.trouble}"
    return ""


def mark_silent_agent(attempt: Attempt) -> Attempt:
    """Return the attempt with its agent as crashed if it neither said nor changed anything."""
    agent = attempt.agent
    if not (agent.outcome.has_worked and agent.silent) or attempt.diff.changes:
        return attempt
    message = "it ended without any output, and without changing a file"
    return replace(attempt, agent=replace(agent, outcome=AgentOutcome.CRASHED, message=message))


def describe_agent_failure(agent: AgentResult) -> str:
    """Return how an agent failed before it could work, with a hint."""
    why = f"the agent did not work: {agent.message.strip() or agent.outcome}"
    return with_hint(why, _AGENT_HINTS.get(agent.outcome, ""))


def end_run(run: RunResult, outcome: RunOutcome, message: str = "") -> RunResult:
    """Return the run with its outcome."""
    return replace(run, outcome=outcome, message=message)
