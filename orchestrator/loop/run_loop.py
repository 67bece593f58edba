"""The learning loop: one task, carried to an outcome.

    baseline -> [ agent -> diff -> tests reverted -> verdict -> lesson -> rule ] -> retry

Here is the order of things; `steps.py` does the work, `policy.py` says how far to go, and
`verdict/` what an attempt came to.
"""

import time
from dataclasses import replace

from orchestrator.failures.suite_failure import build_failure
from orchestrator.loop.policy import Policy, blocking_reason
from orchestrator.loop.steps import BlockedError, Steps
from orchestrator.models import Attempt, RunOutcome, RunResult, SuiteReport, Teaching
from teacher.errors import TeacherError


def run_loop(steps: Steps, policy: Policy) -> RunResult:
    """Carry the task to an outcome, or to the point where it has to wait for somebody."""
    try:
        baseline = steps.measure_baseline()
    except BlockedError as error:
        return RunResult(error.outcome, baseline=error.report, message=str(error))
    run = RunResult(RunOutcome.RUNNING, baseline=baseline)
    while run.outcome is RunOutcome.RUNNING:
        steps.fresh = False
        attempt = _make_attempt(run, baseline, steps, policy)
        run = replace(run, attempts=(*run.attempts, attempt))
        run = policy.decide_outcome(run, steps.task, fresh=steps.fresh)
        steps.close_attempt(run)
    return run


def _make_attempt(run: RunResult, baseline: SuiteReport, steps: Steps, policy: Policy) -> Attempt:
    """Agent works -> diff -> tests reverted -> verdict, and what there is to learn from it."""
    started = time.monotonic()
    number, prompt = len(run.attempts) + 1, policy.next_prompt(steps.task, run)
    before = steps.start_attempt(number, policy.count_max_attempts(run), prompt)
    agent = steps.run_agent(number, prompt, policy.limits, before)
    after = steps.snapshot_result(number)
    diff = steps.diff_attempt(number, before, after)
    reverted = steps.revert_tests(number).found
    told = steps.masker.mask(prompt)
    attempt = Attempt(number, told, agent, before, after, diff, findings=reverted)
    attempt = steps.require_work(attempt)
    if attempt.agent.outcome.has_worked:
        origin = run.attempts[0].before if run.attempts else before
        attempt = steps.judge_attempt(attempt, baseline, origin)
    if attempt.should_teach:
        attempt = _learn_rule(attempt, baseline, steps, policy)
    elif policy.retry_from_start and not attempt.is_solved and not blocking_reason(attempt):
        steps.revert_attempt(attempt)  # its failure is not its own, or not sure
    return replace(attempt, seconds=time.monotonic() - started)


def _learn_rule(attempt: Attempt, baseline: SuiteReport, steps: Steps, policy: Policy) -> Attempt:
    """Failure -> lesson -> rule."""
    report = attempt.own_report or baseline
    failure = build_failure(
        steps.task, attempt.agent, report, baseline, attempt.diff, attempt.findings
    )
    try:
        taught = steps.learn_lesson(attempt.number, failure)
    except TeacherError as error:
        return replace(attempt, teaching=Teaching(None, error.usage, str(error), answered=False))
    attempt = replace(attempt, teaching=taught.teaching, rule=taught.change)
    steps.pin_tree(attempt, failure, taught.change)
    if policy.retry_from_start:
        steps.revert_attempt(attempt)
    return attempt
