"""Say what a run leaves to a person: how to see what changed, and what to do next."""

from collections.abc import Sequence

from orchestrator.config.setting_hints import find_setting
from orchestrator.counts import format_count, name_first
from orchestrator.models import Attempt, RunOutcome, RunPlan
from orchestrator.platform import files
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.platform.project_commands import format_git_command
from orchestrator.services.ended_run import EndedRun
from orchestrator.services.failure_advice import iter_failure_advice


def describe_changes(run: EndedRun, plan: RunPlan) -> str:
    """Return what the run changed, and the command that shows it; empty if that is said elsewhere.

    Args:
        run: the run.
        plan: its plan; the branch of an isolated run is reported when its work tree is removed.
    """
    attempts = run.result.attempts
    if plan.is_isolated or not (attempts or run.changed):
        return ""
    if run.config.learning.retry_from == "start":  # the edits of failed attempts were reverted
        attempts = tuple(attempt for attempt in attempts[-1:] if attempt.is_solved)
    statuses = _collect_changes(attempts) if run.changed is None else run.changed
    if not statuses:
        return "no file"
    count = format_count(len(statuses), "file")
    # An attempt that has not ended is on record only as files.
    command = f"runs show {run.id}" if run.changed is None else f"undo {run.id} --dry-run"
    show = f"`orchestrator {command}`"
    git_diff = format_git_command("diff", run.project)
    if plan.uncommitted_files is None:
        return f"{count}: {show}"
    added = [path for path, is_new in statuses.items() if is_new]
    new = f", and new: {name_first(added)}" if added else ""
    if plan.uncommitted_files:
        own = "which may also show what you had not committed"
        return f"{count}: `{git_diff}`, {own}{new}; without that: {show}"
    if len(added) == len(statuses):
        return f"{count}, new: {name_first(added)}"
    return f"{count}: `{git_diff}`{new}"


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


def advise_next_step(run: EndedRun) -> str:
    """Return the one thing that is most likely to help now; empty if the outcome's message has it.

    Args:
        run: the run.
    """
    match run.result.outcome:
        case RunOutcome.SOLVED if run.has_edits:
            is_in_git = files.exists(files.find_git_top(run.project) / GIT_FOLDER)
            commit = ", then commit it" if is_in_git else ""
            return f"review it{commit}; or `orchestrator undo {run.id}` reverts it"
        case RunOutcome.PAUSED:
            return f"look at the attempt, then `orchestrator resume {run.id}` makes the next one"
        case RunOutcome.NOTHING_CHANGED | RunOutcome.NOT_SOLVED if run.result.attempts:
            advice = next(iter_failure_advice(run))
            return f"{advice}{_describe_undo(run)}" if advice else ""
    advice, undo = "", ""
    if run.result.outcome in (RunOutcome.STOPPED, RunOutcome.MISCONFIGURED):
        advice = _advise_on_setting(run)
    if run.changed and not run.config.workspace.isolate:
        undo = f"`orchestrator undo {run.id}` restores your files, and ends the run for good"
    return "; ".join(filter(None, (advice, undo)))


def _describe_undo(run: EndedRun) -> str:
    """Return how the edits of failed attempts are reverted; empty if none are left."""
    if not run.has_edits or run.config.learning.retry_from == "start":
        return ""
    return f"; `orchestrator undo {run.id}` restores your files"


def _advise_on_setting(run: EndedRun) -> str:
    """Return how the setting is changed that the message of a run names; empty if none helps."""
    found = find_setting(run.result.message, run.config, run.origins)
    if not found:
        return ""
    location = run.describe_setting(found)
    if run.result.outcome is RunOutcome.MISCONFIGURED:
        return f"{location}; then run again" if found.is_in_file else location
    if found.value is None:
        return ""
    if not found.key.startswith("limits.") and found.key != "tests.timeout":
        return f"for a new run, {location}" if found.is_in_file else location
    # A resumed run takes these from the environment, and nothing else.
    resume = f"`{found.variable} orchestrator resume {run.id}`"
    return f"{resume}; for other runs, {location}" if found.is_in_file else resume
