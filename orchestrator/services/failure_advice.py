"""Say what may help after a run that did not solve its task, the most likely first.

What the tests show comes before what the agent was denied: a denied call often has nothing to do
with the failure.
"""

from collections.abc import Iterator, Sequence

from orchestrator.config.setting_hints import find_setting
from orchestrator.models import AgentOutcome, Attempt, VerdictKind
from orchestrator.platform.project_commands import format_project_command
from orchestrator.services.denied_calls import build_permission
from orchestrator.services.ended_run import EndedRun

_DIFFERENTLY = "look at what was tried, and say in the task how to do it"


def iter_failure_advice(run: EndedRun) -> Iterator[str]:
    """Yield what may help; empty if the run's message says what to correct."""
    attempts, last = run.result.attempts, run.result.attempts[-1]
    if last.verdict and last.verdict.hint:
        found = find_setting(last.verdict.hint, run.config, run.origins)
        yield run.describe_setting(found) if found else ""
    if last.is_tampered:
        yield (
            "the agent works on the tests instead of the code: say in the task that they are "
            "right, or use --allow-test-edits if they are to change"
        )
    if last.verdict and last.verdict.kind is VerdictKind.NOTHING_PASSES:
        yield (
            "no test passed before the run either: name in the task the tests that it is about, or "
            "make the others pass first"
        )
    if last.agent.outcome is AgentOutcome.MAX_TURNS:
        setting = run.change_setting("claude.max_turns", 2 * run.config.claude.max_turns)
        yield f"the agent ran out of turns: more of them, {setting}"
    if not any(attempt.diff.changes for attempt in attempts):
        yield _advise_without_changes(run)
    if not any(attempt.rule for attempt in attempts):
        command = format_project_command("rules add", run.project)
        yield (
            "nothing was learned from the failures: add what the agent cannot know yourself, "
            f"with `{command}`"
        )
    yield from _iter_advice_on_attempts(run)


def _advise_without_changes(run: EndedRun) -> str:
    last = run.result.attempts[-1]
    if allowance := _describe_allowance(run):
        return f"the agent changed no file, and {allowance}"
    report = last.report or run.result.baseline
    fails = bool(report and report.failing)
    if last.agent.denials:
        what = "the file or behaviour to change" if fails else "which behaviour is wrong"
        return (
            f"the agent changed no file, and was denied {last.agent.denials[0]}: say in the task "
            f"{what}, and do yourself what the agent may not"
        )
    if fails:
        return "the agent changed no file: name in the task the file or behaviour to change"
    return "say in the task which behaviour is wrong; better, add a test that fails"


def _describe_allowance(run: EndedRun) -> str:
    """Return how the first denied call is allowed that may be offered; empty if there is none."""
    for denied in run.result.attempts[-1].agent.denials:
        if permission := build_permission(denied):
            allowed = [*run.config.claude.allowed_tools, permission]
            setting = run.change_setting("claude.allowed_tools", allowed)
            return f"was denied {denied}; to allow that, {setting}"
    return ""


def _iter_advice_on_attempts(run: EndedRun) -> Iterator[str]:
    """Yield what the failures of the attempts suggest, as far as their reports name tests."""
    attempts, retries = run.result.attempts, run.config.learning.max_retries
    failing = _list_failing_cases(attempts)
    if len(failing) == 2 and failing[0] == failing[1]:
        yield (
            "the last two attempts failed in the same tests, so more of them will hardly help: "
            f"{_DIFFERENTLY}"
        )
    if allowance := _describe_allowance(run):
        yield f"the agent {allowance}"
    if sum(attempt.report is not None for attempt in attempts) <= retries:
        yield _DIFFERENTLY  # it was not the number of attempts that ended the run
    more = f"--max-retries {2 * retries or 3}"
    if len(failing) == 2:
        yield f"the last two attempts failed in different tests, so more may help: {more}"
    yield f"{more} gives it more attempts"


def _list_failing_cases(attempts: Sequence[Attempt]) -> list[frozenset[str]]:
    """Return the failing cases of the last two judged attempts whose reports name cases."""
    judged = [attempt for attempt in attempts if attempt.report][-2:]
    return [
        frozenset(case.id for case in attempt.own_report.failing)
        for attempt in judged
        if attempt.report and attempt.own_report and not attempt.report.is_exit_code_only
    ]
