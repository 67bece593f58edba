"""From a red suite to a `Failure` for the teacher, and to the prompt of the next attempt."""

from orchestrator.models import AgentResult, Attempt, Diff, SuiteReport, Task
from teacher.models import Failure, FailureType


def failure_of(
    task: Task,
    agent: AgentResult,
    report: SuiteReport,
    baseline: SuiteReport | None,
    diff: Diff | None,
) -> Failure:
    """What went wrong in an attempt, with the evidence that fits a model's request."""
    del agent, baseline, diff
    return Failure(
        type=FailureType.TEST_FAILURE,
        source="pytest",
        summary=report.summary,
        fingerprint=" ".join(sorted(case.id for case in report.failing)) or report.outcome,
        task=task.text,
        logs="\n\n".join(f"{case.id}\n{case.detail}" for case in report.failing),
    )


def retry_prompt(task: Task, failed: Attempt) -> str:
    """The task again, with what the last attempt's tests said."""
    said = failed.report.summary if failed.report else ""
    return f"{task.text}\n\nThe last attempt did not pass the tests: {said}"
