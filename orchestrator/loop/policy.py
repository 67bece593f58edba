"""How far a run goes: its limits, what the next attempt is told, and when it has to stop."""

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
    AgentOutcome.MAX_COST: "a new run may have more: limits.max_cost_usd",
    AgentOutcome.WALL_CLOCK: "resume it, or give a new run more: limits.wall_clock",
    AgentOutcome.NO_OUTPUT: "look why it was silent; a new run may have more: limits.no_output",
    AgentOutcome.API_ERROR: "wait, or look at the network and the key; then `orchestrator resume`",
    AgentOutcome.NOT_LOGGED_IN: "log in with `claude`, or set ANTHROPIC_API_KEY",
    AgentOutcome.USAGE_LIMIT: "wait for the limit's reset, then `orchestrator resume`",
    AgentOutcome.REFUSED: "put the task in other words",
    AgentOutcome.CRASHED: "look at its standard error with `orchestrator runs show`",
}


@dataclass(frozen=True)
class Policy:
    """How far the loop goes."""

    max_retries: int = 3
    auto_retry: bool = True
    retry_from_start: bool = False
    stuck_after: int | None = None
    limits: AgentLimits = field(default_factory=AgentLimits)

    def next_prompt(self, task: Task, run: RunResult) -> str:
        """Return the prompt of the next attempt: the task, and what the tests said of the last."""
        judged = [attempt for attempt in run.attempts if attempt.report]
        if not judged:
            return task.text
        return build_retry_prompt(task, judged[-1], edits_retained=not self.retry_from_start)

    def count_max_attempts(self, run: RunResult) -> int:
        """Return how many attempts there can be; one that was not judged does not count."""
        return self.max_retries + 1 + sum(each.report is None for each in run.attempts)

    def decide_outcome(self, run: RunResult, task: Task, *, fresh: bool) -> RunResult:
        """Return the run as it goes on, or as it ended.

        Args:
            run: the run with its last attempt.
            task: what is to be done.
            fresh: whether that attempt was made by this process. What stopped an earlier one is
                tried again.
        """
        attempt = run.attempts[-1]
        if attempt.is_solved:
            return end_run(run, RunOutcome.SOLVED, attempt.verdict.text if attempt.verdict else "")
        verdict = attempt.verdict
        nothing = verdict if verdict and verdict.kind is VerdictKind.NOTHING_CHANGED else None
        if nothing and not _can_do_better(run, task):
            return end_run(run, RunOutcome.NOTHING_CHANGED, nothing.text)
        if why := blocking_reason(attempt):
            return end_run(run, RunOutcome.STOPPED, why) if fresh else run
        hopeless = self._find_stop_reason(run, task)
        if hopeless is not None:
            outcome = RunOutcome.NOTHING_CHANGED if nothing else RunOutcome.NOT_SOLVED
            return end_run(run, outcome, nothing.text if nothing else hopeless)
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
    """Return whether an agent that edited guarded files alone may do better once it is told so."""
    *earlier, last = run.attempts
    told = any(
        each.verdict and each.verdict.kind is VerdictKind.NOTHING_CHANGED for each in earlier
    )
    names = {name for path in last.restored_paths for name in (path, PurePosixPath(path).name)}
    asked = any(mentions_file(task.text, name) for name in names)
    return bool(last.restored_paths) and not (told or asked)


def blocking_reason(attempt: Attempt) -> str:
    """Return why the run has to wait for somebody, whatever the code is like, or nothing."""
    if not attempt.agent.outcome.has_worked:
        return describe_agent_failure(attempt.agent)
    if attempt.verdict and attempt.verdict.kind in (VerdictKind.ENVIRONMENT, VerdictKind.VOID):
        return attempt.verdict.text
    if attempt.teaching and not attempt.teaching.answered:
        return f"the teacher gave no lesson: {attempt.teaching.trouble}"
    return ""


def describe_agent_failure(agent: AgentResult) -> str:
    """Return why the end of an agent that did not work says nothing about the code."""
    why = f"the agent did not work: {agent.message.strip() or agent.outcome}"
    return with_hint(why, _AGENT_HINTS.get(agent.outcome, ""))


def end_run(run: RunResult, outcome: RunOutcome, message: str = "") -> RunResult:
    """Return the run with its end."""
    return replace(run, outcome=outcome, message=message)
