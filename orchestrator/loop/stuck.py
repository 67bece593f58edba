"""The circuit breaker: ends a run early when its attempts bring nothing new."""

from orchestrator.failures.suite_failure import build_failure
from orchestrator.models import Attempt, RunResult, Task


def find_stuck_reason(task: Task, run: RunResult, after: int | None) -> str:
    """Return why the run is stuck; empty if it is not.

    A run is stuck when its last `after` judged attempts all failed, and either none of them
    changed a file, or only the first of them failed in a way that was new in this run. So a run
    that alternates between two failures is stuck, too.

    Args:
        task: what is to be done.
        run: the attempts so far.
        after: how many attempts in a row; None if a run is never stuck.
    """
    judged = [attempt for attempt in run.attempts if attempt.report]
    last = judged[-after:] if after else []
    if not after or len(last) < after or any(attempt.is_solved for attempt in last):
        return ""
    if not any(attempt.diff.changes for attempt in last):
        cases = _describe_cases(last[-1])
        return f"stuck: the agent changed no file in {after} attempts in a row; {cases}"
    names = [_fingerprint_attempt(task, attempt, run) for attempt in judged]
    first = len(names) - after + 1
    if any(names[at] not in names[:at] for at in range(first, len(names))):
        return ""
    alike = len(set(names[-after:])) == 1
    how = "in the same way" if alike else "in ways seen before"
    idle = sum(not attempt.diff.changes for attempt in last)
    unchanged = f", {idle} of them without changing a file" if idle else ""
    return (
        f"stuck: {after} attempts in a row failed {how}{unchanged} "
        f"(fingerprint {names[-1]}); {_describe_cases(last[-1])}"
    )


def _fingerprint_attempt(task: Task, attempt: Attempt, run: RunResult) -> str:
    assert attempt.report  # noqa: S101 -- for mypy: all callers pass judged attempts
    report = (attempt.is_tampered and attempt.own_report) or attempt.report
    return build_failure(
        task, attempt.agent, report, run.baseline, None, attempt.findings
    ).fingerprint


def _describe_cases(attempt: Attempt) -> str:
    assert attempt.report  # noqa: S101 -- for mypy, as above
    failing = [case.id for case in attempt.report.failing]
    if not failing:
        return f"the suite still reports: {attempt.report.summary}"
    more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    return f"still failing: {failing[0]}{more}"
