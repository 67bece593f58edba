"""The learning loop: run attempts at one task until it has an outcome. Read this module first.

    baseline -> [ agent -> diff -> review -> verdict -> lesson -> rule ] -> retry

This module only defines the order: `steps.py` does the work, `policy.py` decides when to stop,
and `verdict/` compares each attempt with the project as it was at the baseline.
"""

import time
from dataclasses import replace

from orchestrator.failures.record_masking import mask_again
from orchestrator.failures.suite_failure import build_failure
from orchestrator.loop.policy import Policy, blocking_reason, mark_silent_agent
from orchestrator.loop.steps import Steps
from orchestrator.loop.values import Baseline, BlockedError
from orchestrator.models import Attempt, RunOutcome, RunResult, SuiteReport, Teaching
from teacher.errors import TeacherError


def run_loop(steps: Steps, policy: Policy) -> RunResult:
    """Make attempts until the task has an outcome, or the run has to wait for a person."""
    try:
        baseline = steps.measure_baseline()
    except BlockedError as error:
        return RunResult(error.outcome, baseline=error.report, message=str(error))
    run = RunResult(RunOutcome.RUNNING, baseline=baseline.report)
    while run.outcome is RunOutcome.RUNNING:
        done_before = steps.step_count
        attempt = _make_attempt(run, baseline, steps, policy)
        run = mask_again(steps.masker, replace(run, attempts=(*run.attempts, attempt)))
        run = policy.decide_outcome(run, steps.task, fresh=steps.step_count > done_before)
        steps.close_attempt(run)
    return run


def _make_attempt(run: RunResult, baseline: Baseline, steps: Steps, policy: Policy) -> Attempt:
    """Run the agent, judge its changes, and learn a rule if it failed."""
    started = time.monotonic()
    number, prompt = len(run.attempts) + 1, policy.next_prompt(steps.task, run)
    start = steps.start_attempt(number, policy.count_max_attempts(run), prompt, baseline)
    agent = steps.run_agent(start, prompt, policy.limits)
    after = steps.snapshot_result(number)
    diff = steps.diff_attempt(start, after)
    attempt = Attempt(number, steps.masker.mask(prompt), agent, start.before, after, diff)
    attempt = mark_silent_agent(steps.review_attempt(attempt))
    if attempt.agent.outcome.has_worked:
        origin = run.attempts[0].before if run.attempts else start.before
        attempt = steps.judge_attempt(attempt, baseline, origin, start.stamps)
    if attempt.should_teach:
        attempt = _learn_rule(attempt, baseline.report, steps, policy)
    elif policy.retry_from_start and not attempt.is_solved and not blocking_reason(attempt):
        steps.revert_attempt(attempt)  # the attempt did not cause a failure, or that is uncertain
    return replace(attempt, seconds=time.monotonic() - started)


def _learn_rule(attempt: Attempt, baseline: SuiteReport, steps: Steps, policy: Policy) -> Attempt:
    """Turn the attempt's failure into a lesson, and the lesson into a rule."""
    report = attempt.own_report or baseline
    failure = build_failure(
        steps.task, attempt.agent, report, baseline, attempt.diff, attempt.findings
    )
    try:
        taught = steps.learn_lesson(attempt.number, failure)
    except TeacherError as error:
        why = steps.masker.mask(str(error))
        return replace(attempt, teaching=Teaching(None, error.usage, why, answered=False))
    attempt = replace(attempt, teaching=taught.teaching, rule=taught.change)
    steps.pin_tree(attempt, failure, taught.change)
    if policy.retry_from_start:
        steps.revert_attempt(attempt)
    return attempt
