"""The circuit breaker: a run whose attempts bring nothing new is ended early."""

from orchestrator.failures.suite_failure import build_failure
from orchestrator.models import Attempt, RunResult, Task


def find_stuck_reason(task: Task, run: RunResult, after: int | None) -> str:
    """Say what did not change, when the last attempts brought nothing new; empty otherwise.

    A run is stuck when its last `after` judged attempts all failed, and either none of them
    changed a file, or only the first of them failed in a way that the run had not seen before.
    Two ways to fail that take turns are thus nothing new either.

    Args:
        task: what is to be done.
        run: its attempts so far.
        after: how many attempts in a row; None never calls a run stuck.
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
    how = "in the same way" if alike else "in ways that were seen before"
    idle = sum(not attempt.diff.changes for attempt in last)
    unchanged = f", {idle} of them without a change to any file" if idle else ""
    return (
        f"stuck: {after} attempts in a row failed {how}{unchanged} "
        f"(fingerprint {names[-1]}); {_describe_cases(last[-1])}"
    )


def _fingerprint_attempt(task: Task, attempt: Attempt, run: RunResult) -> str:
    assert attempt.report  # noqa: S101 -- only judged attempts come here; for mypy
    report = (attempt.is_tampered and attempt.own_report) or attempt.report
    return build_failure(
        task, attempt.agent, report, run.baseline, None, attempt.findings
    ).fingerprint


def _describe_cases(attempt: Attempt) -> str:
    assert attempt.report  # noqa: S101 -- likewise
    failing = [case.id for case in attempt.report.failing]
    if not failing:
        return f"the suite still says: {attempt.report.summary}"
    more = f" and {len(failing) - 1} more" if len(failing) > 1 else ""
    return f"still failing: {failing[0]}{more}"
