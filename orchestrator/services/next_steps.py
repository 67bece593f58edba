"""Say what a run leaves to a person: how to see what changed, and what to do next."""

import re
from collections.abc import Iterator, Mapping, Sequence

from orchestrator.config import Config
from orchestrator.config.setting_hints import format_setting
from orchestrator.counts import format_count, name_first
from orchestrator.models import (
    AgentOutcome,
    Attempt,
    RunOutcome,
    RunPlan,
    RunResult,
    VerdictKind,
)


def describe_changes(
    result: RunResult,
    plan: RunPlan,
    run: str,
    changed: Mapping[str, bool] | None = None,
    *,
    from_start: bool,
) -> str:
    """Return what the run changed, and the command that shows it; empty if that is said elsewhere.

    Args:
        result: the run's result.
        plan: its plan; the branch of an isolated run is reported when its work tree is removed.
        run: the run's id.
        changed: the files that differ from before the run, and whether each is new; None if those
            are to be taken from its attempts.
        from_start: whether the edits of failed attempts were reverted.
    """
    attempts = result.attempts
    if plan.is_isolated or not (attempts or changed):
        return ""
    if from_start:
        attempts = tuple(attempt for attempt in attempts[-1:] if attempt.is_solved)
    statuses = _collect_changes(attempts) if changed is None else changed
    if not statuses:
        return "no file"
    files = format_count(len(statuses), "file")
    # An attempt that has not ended is on record only as files.
    command = f"runs show {run}" if changed is None else f"undo {run} --dry-run"
    show = f"`orchestrator {command}`"
    if plan.uncommitted_files is None:
        return f"{files}: {show}"
    if plan.uncommitted_files:
        own = "which may also show what you had not committed"
        return f"{files}: `git diff`, {own}; without that: {show}"
    added = [path for path, is_new in statuses.items() if is_new]
    if len(added) == len(statuses):
        return f"{files}, new: {name_first(added)}"
    new = f", and new: {name_first(added)}" if added else ""
    return f"{files}: `git diff`{new}"


def _collect_changes(attempts: Sequence[Attempt]) -> dict[str, bool]:
    """Return the paths that differ from before the run, and whether each is new."""
    found: dict[str, bool] = {}
    for attempt in attempts:
        restored = set(attempt.restored_paths)
        for change in attempt.diff.changes:
            if change.path in restored:
                continue
            if change.status == "D" and found.get(change.path):
                del found[change.path]  # the run itself had created it
            else:
                found[change.path] = found.get(change.path, change.status == "A")
    return found


def advise_next_step(
    result: RunResult, config: Config, run: str, changed: Mapping[str, bool] | None = None
) -> str:
    """Return the one thing that is most likely to help now; empty if the outcome's message has it.

    Args:
        result: the run's result.
        config: the run's configuration.
        run: the run's id.
        changed: the files that a run that did not end has left changed.
    """
    if changed and not config.workspace.isolate:
        return f"`orchestrator undo {run}` restores your files, and ends the run for good"
    if result.outcome is RunOutcome.SOLVED:
        return _advise_after_success(result, config, run)
    if result.outcome is RunOutcome.PAUSED:
        return f"look at the attempt, then `orchestrator resume {run}` makes the next one"
    if result.outcome is RunOutcome.NOTHING_CHANGED and result.attempts:
        return "say in the task which behaviour is wrong; better, add a test that fails"
    if result.outcome is RunOutcome.NOT_SOLVED and result.attempts:
        advice = next(_iter_advice_after_failure(result, config))
        return f"{advice}{_describe_undo(result, config, run)}" if advice else ""
    return ""


def _advise_after_success(result: RunResult, config: Config, run: str) -> str:
    if config.workspace.isolate or not any(attempt.diff.changes for attempt in result.attempts):
        return ""
    return f"review it, then commit it; or `orchestrator undo {run}` reverts it"


def _describe_undo(result: RunResult, config: Config, run: str) -> str:
    """Return how the edits of failed attempts are reverted; empty if none are left."""
    if config.workspace.isolate or config.learning.retry_from == "start":
        return ""
    if not any(attempt.diff.changes for attempt in result.attempts):
        return ""
    return f"; `orchestrator undo {run}` restores your files"


def _iter_advice_after_failure(result: RunResult, config: Config) -> Iterator[str]:
    """Yield what may help after a run that was not solved, the most likely first."""
    last = result.attempts[-1]
    if last.verdict and last.verdict.kind in (VerdictKind.EXIT_STATUS, VerdictKind.NOTHING_PASSES):
        yield ""  # the message of the verdict says what to correct
    if last.is_tampered:
        yield (
            "the agent works on the tests instead of the code: say in the task that they are "
            "right, or use --allow-test-edits if they are to change"
        )
    if last.agent.outcome is AgentOutcome.MAX_TURNS:
        setting = format_setting("claude.max_turns", 2 * config.claude.max_turns)
        yield f"the agent ran out of turns: more of them, in orchestrator.yaml: {setting}"
    if last.agent.denials:
        denied = last.agent.denials[0]
        allowed = [*config.claude.allowed_tools, _build_permission(denied)]
        setting = format_setting("claude.allowed_tools", allowed)
        yield f"the agent was denied {denied}; to allow that, in orchestrator.yaml: {setting}"
    if not any(attempt.diff.changes for attempt in result.attempts):
        yield "the agent changed no file: name in the task the file or behaviour to change"
    if not any(attempt.rule for attempt in result.attempts):
        yield (
            "nothing was learned from the failures: add what the agent cannot know yourself, "
            "with `orchestrator rules add`"
        )
    if _is_same_failure(result.attempts):
        yield (
            "the attempts failed in the same tests, so more of them will hardly help: look at "
            "what was tried, and say in the task how to do it"
        )
    more = 2 * config.learning.max_retries or 3
    yield f"each attempt failed in another way, so more may help: --max-retries {more}"


def _build_permission(denied: str) -> str:
    """Return the narrowest useful permission for a call, which is described as `Bash: npm test`."""
    tool, _, call = denied.partition(": ")
    if tool != "Bash":
        return tool
    program = re.match(r"[\w./-]+", call)
    return f"Bash({program[0] if program else 'PROGRAM'} *)"


def _is_same_failure(attempts: Sequence[Attempt]) -> bool:
    """Return whether the last attempts failed in the same cases."""
    failing = [
        frozenset(case.id for case in report.failing)
        for attempt in attempts
        if (report := attempt.own_report)
    ]
    return len(set(failing[-2:])) == 1
