"""Find the run that is to be undone, and check that it can be undone here."""

import platform
from pathlib import Path

from orchestrator.config.masked_config import read_section
from orchestrator.errors import UsageError
from orchestrator.models import RunRecord
from orchestrator.platform import files
from orchestrator.services.isolation import BRANCHES
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import find_list_of_lane, worktree_folder
from orchestrator.workspace.git import Git


def find_undoable_run(store: Store, run: str, project: Path) -> RunRecord:
    """Return the run that is to be undone.

    Args:
        store: the runs.
        run: the run's id, a prefix of it, or `last` for the last run in the project itself.
        project: the project's directory, for `last`.

    Raises:
        UsageError: there is none, its files are not on record here, or it changed none of them.
    """
    record = store.find_run(run, project, in_lanes=False)
    _require_undoable(record, store)
    return record


def _require_undoable(record: RunRecord, store: Store) -> None:
    """Check that the files of a run are on record here, and were changed in the user's folder.

    Raises:
        UsageError: they are not, or were not.
    """
    run, project = record.id, record.task.project
    if record.lane:
        raise build_lane_error(record, store.directory, "cannot be undone")
    if record.pruned:
        reason = f"its files were removed on {record.pruned:%Y-%m-%d}, after `state.keep_days`"
        raise UsageError(f"run {run} cannot be undone: {reason}", "compare with your last commit")
    if not record.folder.is_dir():
        here = record.host == platform.node()
        where = f"{record.folder} is gone" if here else f"it ran on {record.host}"
        hint = "compare with your last commit" if here else "undo it there"
        raise UsageError(f"run {run} cannot be undone here: {where}", hint)
    if not files.is_folder(project):
        raise UsageError(
            f"run {run} cannot be undone: its project {project} is gone",
            f"if you have moved it, move it to {project} again",
        )
    if _is_isolated(record, store):
        raise UsageError(
            f"run {run} was isolated: it worked on the branch {BRANCHES}{run}, and nothing is to "
            f"be undone in {project}",
            _describe_branch_removal(record, store),
        )


def build_lane_error(record: RunRecord, state: Path, what: str) -> UsageError:
    """Return the error for a command that is not for a run in a lane of a task list.

    Args:
        record: the run.
        state: the state directory.
        what: what cannot be done with it.
    """
    name = find_list_of_lane(state, record.lane) if record.lane else ""
    of = f"task list {name}" if name else "a task list"
    return UsageError(
        f"run {record.id} {what}: it worked in a lane of {of}, and no file of "
        f"{record.task.project} is changed by it",
        f"see `orchestrator tasks status {name}".rstrip() + "`, which names the branch of its work",
    )


def _describe_branch_removal(record: RunRecord, store: Store) -> str:
    """Return the command that removes what an isolated run has left."""
    branch, worktree = f"{BRANCHES}{record.id}", worktree_folder(store.directory, record.id)
    if worktree.exists():
        return (
            f"to discard its work: git worktree remove --force {worktree}; git branch -D {branch}"
        )
    git = Git(record.task.project)
    command = ("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}")
    if git.run(*command, allowed=(0, 1, 128)).returncode == 0:
        return f"to discard its work: git branch -D {branch}; once merged: git revert"
    return "its branch is gone"


def list_later_runs(record: RunRecord, store: Store) -> tuple[str, ...]:
    """Return the runs that worked in the same folder later, the newest first."""
    runs = store.list_runs(50, record.task.project, in_lanes=False)
    later = [each for each in runs if each.started > record.started]
    return tuple(each.id for each in later if not _is_isolated(each, store))


def _is_isolated(record: RunRecord, store: Store) -> bool:
    return bool(read_section(store.read_config(record.id), "workspace").get("isolate"))
