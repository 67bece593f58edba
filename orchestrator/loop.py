"""The learning loop: one task, carried to an outcome.

    baseline -> [ agent -> diff -> pristine tests -> verdict -> lesson -> rule ] -> retry

Here are the decisions; `steps.py` has the plug points and does the work.
"""

import time
from dataclasses import dataclass, field, replace

from orchestrator import events
from orchestrator.failures.suite import failure_of, retry_prompt
from orchestrator.failures.triage import agent_trouble, own_failures
from orchestrator.limits.stuck import stuck
from orchestrator.models import (
    AgentLimits,
    Attempt,
    RunOutcome,
    RunResult,
    SuiteOutcome,
    SuiteReport,
    Teaching,
    TriageKind,
)
from orchestrator.steps import NoVerdictError, Steps
from teacher.errors import TeacherError


@dataclass(frozen=True)
class Policy:
    """How far the loop goes."""

    max_retries: int = 3
    auto_retry: bool = True
    retry_from_start: bool = False
    max_cost_usd: float | None = None
    stuck_after: int | None = None
    limits: AgentLimits = field(default_factory=AgentLimits)


def run_loop(steps: Steps, policy: Policy) -> RunResult:
    """Carry the task to an outcome, or to the point where it has to wait for somebody."""
    try:
        run = RunResult(RunOutcome.RUNNING, baseline=steps.baseline())
    except NoVerdictError as error:
        return _without_verdict(error.report)
    while run.outcome is RunOutcome.RUNNING:
        limits = _affordable(run, policy)
        if limits is None:
            why = (
                "the run's cost limit is used up; `orchestrator resume --max-cost-usd` allows more"
            )
            return _ended(run, RunOutcome.STOPPED, why)
        steps.fresh = False
        run = _decide(_attempt(run, steps, policy, limits), steps, policy)
        steps.emit(events.AttemptFinished(run))
    return run


def _attempt(run: RunResult, steps: Steps, policy: Policy, limits: AgentLimits) -> RunResult:
    """Agent works -> diff -> pristine tests -> verdict, and what there is to learn from it."""
    started = time.monotonic()
    number, prompt = len(run.attempts) + 1, _prompt(run, steps, policy)
    unjudged = sum(each.report is None for each in run.attempts)
    before = steps.begin(number, policy.max_retries + 1 + unjudged, prompt)
    agent = steps.work(number, prompt, limits, before)
    after = steps.finish(number)
    diff = steps.compare(number, before, after)
    found = steps.guard_tests(number).found
    attempt = Attempt(number, prompt, agent, before, after, diff, findings=found)
    if agent.outcome.worked:
        attempt = _judged(attempt, steps.judge(number), run.baseline, steps)
    if attempt.report and attempt.teaches:
        own = own_failures(attempt.report, attempt)
        attempt = _learn(attempt, own, run.baseline, steps, policy)
    elif policy.retry_from_start and not attempt.solved and not _standstill(attempt):
        steps.take_back(attempt)  # its failure is not its own, or not sure: nothing is taught
    attempt = replace(attempt, seconds=time.monotonic() - started)
    return replace(run, attempts=(*run.attempts, attempt))


def _judged(
    attempt: Attempt, report: SuiteReport, baseline: SuiteReport | None, steps: Steps
) -> Attempt:
    """The verdict, once what failed has run again; and whether it can be believed."""
    try:
        if not report.passed:
            confirmed = steps.confirm(attempt, report, baseline)
            report, attempt = confirmed.report, replace(attempt, triage=confirmed.triage)
    except NoVerdictError as error:
        return replace(attempt, report=error.report, triage=error.triage)
    found = attempt.findings + steps.doubt(attempt.number, report, attempt.diff).found
    return replace(attempt, report=report, findings=found)


def _learn(
    attempt: Attempt,
    report: SuiteReport,
    baseline: SuiteReport | None,
    steps: Steps,
    policy: Policy,
) -> Attempt:
    """Failure -> lesson -> rule."""
    failure = failure_of(
        steps.task, attempt.agent, report, baseline, attempt.diff, attempt.findings
    )
    try:
        attempt = replace(attempt, teaching=steps.teach(attempt.number, failure))
    except TeacherError as error:
        return replace(attempt, teaching=Teaching(None, error.usage, str(error), answered=False))
    if policy.retry_from_start:
        steps.take_back(attempt)
    if attempt.teaching and attempt.teaching.lesson:
        rule = steps.write_rule(attempt.number, attempt.teaching.lesson, failure)
        attempt = replace(attempt, rule=rule)
    return attempt


def _decide(run: RunResult, steps: Steps, policy: Policy) -> RunResult:
    """Go on, or end. What went wrong in an earlier process is tried again in this one."""
    attempt = run.attempts[-1]
    if attempt.solved:
        return _ended(run, RunOutcome.SOLVED)
    if why := _standstill(attempt):
        return _ended(run, RunOutcome.STOPPED, why) if steps.fresh else run
    if sum(each.report is not None for each in run.attempts) > policy.max_retries:
        return _ended(run, RunOutcome.NOT_SOLVED)
    if why := stuck(steps.task, run, policy.stuck_after):
        return _ended(run, RunOutcome.NOT_SOLVED, why)
    if not policy.auto_retry and steps.fresh:
        return _ended(run, RunOutcome.PAUSED)
    return run


def _standstill(attempt: Attempt) -> str:
    """Why the run has to wait for somebody, whatever the code is like."""
    if not attempt.agent.outcome.worked:
        return agent_trouble(attempt.agent).words
    if attempt.triage and attempt.triage.kind is TriageKind.INFRASTRUCTURE:
        return attempt.triage.words
    if attempt.teaching and not attempt.teaching.answered:
        return f"the teacher gave no lesson: {attempt.teaching.trouble}"
    return ""


def _prompt(run: RunResult, steps: Steps, policy: Policy) -> str:
    judged = [attempt for attempt in run.attempts if attempt.report]
    if not judged:
        return steps.task.text
    return retry_prompt(steps.task, judged[-1], edits_kept=not policy.retry_from_start)


def _affordable(run: RunResult, policy: Policy) -> AgentLimits | None:
    if policy.max_cost_usd is None:
        return policy.limits
    left = policy.max_cost_usd - run.usage.cost_usd
    return replace(policy.limits, max_cost_usd=left) if left > 0 else None


def _without_verdict(baseline: SuiteReport) -> RunResult:
    configured = baseline.outcome in (
        SuiteOutcome.NO_TESTS,
        SuiteOutcome.USAGE_ERROR,
        SuiteOutcome.NOT_FOUND,
    )
    outcome = RunOutcome.MISCONFIGURED if configured else RunOutcome.STOPPED
    message = f"the suite gives no verdict: {baseline.summary} ({baseline.outcome.mend})"
    return RunResult(outcome, baseline=baseline, message=message)


def _ended(run: RunResult, outcome: RunOutcome, message: str = "") -> RunResult:
    return replace(run, outcome=outcome, message=message)
