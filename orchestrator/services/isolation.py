"""Decide where a run works: in the user's own folder, in a separate git work tree, or in a lane.

<state>/worktrees/<run id>/      the work tree, on the branch `orchestrator/<run id>`
<state>/lists/<id>/lanes/<n>/    a lane of a task list, see `lane_runs`
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.counts import format_count, name_first
from orchestrator.errors import LoopError, UsageError
from orchestrator.events import Listener, Notice
from orchestrator.models import RESUMABLE, RunRecord, RunResult, Task
from orchestrator.platform.locking import FileLock
from orchestrator.platform.project_commands import format_git_command
from orchestrator.services.private_files import PrivateRules
from orchestrator.services.run_homes import find_home
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import (
    find_lane_top,
    run_folder,
    worktree_folder,
    worktrees_folder,
)
from orchestrator.workspace.carrying import CarriedFiles, LaneTarget
from orchestrator.workspace.merge_obstacles import find_merge_obstacles
from orchestrator.workspace.repository import find_repository
from orchestrator.workspace.worktree import Worktree, list_uncommitted, resolve_worktree

BRANCHES: Final = "orchestrator/"

_SUBJECT_LENGTH: Final = 72


@dataclass
class WorkFolder:
    """The folder that a run works in: the user's own, that of its work tree, or its lane."""

    folder: Path
    worktree: Worktree | None = None
    started: bool = False
    """Whether the run has started, so that it can be resumed."""
    ended: bool = False
    """Whether the run has ended for good."""
    lost: bool = False
    """Whether another process has taken over the run."""
    carried: CarriedFiles | None = None
    """The user's private instruction files in the work tree."""
    private_rules: PrivateRules | None = None
    """The learned rules that belong into private files."""

    def commit_work(self, task: Task, run: str, result: RunResult) -> None:
        """Commit the result of a run that has ended, with its rules, except for private files.

        Rules in private files are merged into the user's own. Must be called before the end is
        recorded. If the process dies in between, the next one calls it again.

        Raises:
            RulebookError, InfrastructureError: git failed, or a private file cannot be written.
        """
        if result.outcome not in RESUMABLE:
            private = self.private_rules.merge_rules() if self.private_rules else ()
            if self.worktree:
                self.worktree.commit(_format_commit_message(task, run, result), private)
            if self.private_rules:
                self.private_rules.report_changes()
            self.ended = True


@contextlib.contextmanager
def open_worktree(
    project: Path, run: str, state: Path, listener: Listener, *, fresh: bool
) -> Iterator[WorkFolder]:
    """Create a work tree for a run, and remove it when the run has ended for good.

    Then the branch has all of the work; it is removed too if nothing was committed on it. If the
    run can be resumed, the work tree and the branch stay.

    Args:
        project: the user's project.
        run: the run's id.
        state: the state directory.
        listener: gets notices about where the work is.
        fresh: whether the run has not started yet. Then the work tree is created, unless a process
            that was killed has completed it.

    Raises:
        UsageError: the project is in no repository or has no commit, or the work tree is gone.
        InfrastructureError: git failed.
    """
    branch = BRANCHES + run
    worktree = resolve_worktree(project, worktree_folder(state, run), branch)
    is_new = fresh and not worktree.is_complete()
    carried = CarriedFiles(worktree, locate_originals(state, run))
    if is_new:
        worktree.create()
    elif not worktree.project.is_dir():
        raise UsageError(
            f"the work tree of run {run} is gone: {worktree.folder}",
            f"start a new run; what was committed is on the branch {branch}",
        )
    work = WorkFolder(worktree.project, worktree, carried=carried)
    try:
        if fresh:
            _carry_files(carried, listener)
            _report_uncommitted(project, carried, listener)
        yield work
    finally:
        if is_new and not work.started:
            worktree.remove(with_branch=True)
        elif work.ended:
            _remove_worktree(worktree, listener)
        elif not work.lost:
            listener(Notice(f"`orchestrator resume {run}` continues in {worktree.folder}"))


@contextlib.contextmanager
def open_lane(
    record: RunRecord, state: Path, listener: Listener, *, fresh: bool
) -> Iterator[WorkFolder]:
    """Open the lane of a run, which exists, and carry the user's private files to it.

    Nothing is committed and nothing is removed here: whoever started the run does that.

    Args:
        record: the run.
        state: the state directory.
        listener: gets notices about carried files.
        fresh: whether the run has not started yet.

    Raises:
        UsageError: the lane is gone.
        InfrastructureError: git failed, or a file cannot be carried.
    """
    lane = record.lane
    if lane is None or not lane.is_dir():
        raise UsageError(
            f"the lane of run {record.id} is gone: {lane}", "start the task of its list again"
        )
    repository = find_repository(record.task.project) if find_home(record) != lane else None
    work = WorkFolder(lane)
    if repository:  # else the project is on another machine: so are its private files
        target = LaneTarget(find_lane_top(state, lane), repository.top)
        work.carried = CarriedFiles(target, locate_originals(state, record.id))
        if fresh:
            _carry_files(work.carried, listener, "the lane")
    yield work


def remove_leftover_worktrees(project: Path, store: Store, listener: Listener) -> None:
    """Remove the work trees of this project's runs that ended without removing theirs.

    A process that is killed between recording the end and the removal leaves one. A work tree with
    content that is not on its branch is left alone.

    Args:
        project: the user's project.
        store: the recorded runs.
        listener: gets a notice about each.
    """
    with FileLock(store.locks / "worktrees.lock"):  # several runs may start at the same time
        for folder in sorted(worktrees_folder(store.directory).glob("*")):
            record = _find_ended_run(folder.name, store)
            if not record or record.task.project != project:
                continue
            try:
                worktree = resolve_worktree(project, folder, BRANCHES + record.id)
                originals = locate_originals(store.directory, record.id)
                carried = CarriedFiles(worktree, originals).list_paths()
                paths = worktree.list_uncommitted_paths(carried)
                if paths:
                    names = f"{paths[0]} and {len(paths) - 1} more" if paths[1:] else paths[0]
                    listener(Notice(f"run {record.id} has ended; {names} is only in {folder}"))
                    continue
                listener(Notice(f"removing the leftover work tree of run {record.id}: {folder}"))
                _remove_worktree(worktree, listener)
            except LoopError as error:
                listener(
                    Notice(f"the work tree of run {record.id} is not removed: {folder}: {error}")
                )


def _find_ended_run(run: str, store: Store) -> RunRecord | None:
    """Return the record of a run that has ended for good and whose process is gone."""
    try:
        record = store.find_run(run)
    except UsageError:
        return None  # the run has not been recorded yet, or the folder is not a run's
    if record.id != run or record.outcome in RESUMABLE or not record.ended:
        return None
    return None if record.carried else record


def _remove_worktree(worktree: Worktree, listener: Listener) -> None:
    has_work = worktree.has_commits()
    # Described before, because git knows where the run started only while the work tree exists.
    where = "the run changed nothing, so its branch was removed"
    where = _describe_branch(worktree) if has_work else where
    worktree.remove(with_branch=not has_work)
    listener(Notice(where))


def _describe_branch(worktree: Worktree) -> str:
    """Return where the work is, and how to merge it without the loss of a file."""
    branch = worktree.branch
    top = worktree.repository.top
    show = format_git_command(f"diff HEAD...{branch}", top)
    where = f"the work is on the branch {branch}: `{show}` shows it"
    obstacles = find_merge_obstacles(worktree)
    if obstacles.untracked:
        return (
            f"{where}; a merge would replace files in {top} that are not in "
            f"git, or be refused: first move away {name_first(obstacles.untracked)}"
        )
    merge = f"{where}, `{format_git_command(f'merge {branch}', top)}` merges it"
    if obstacles.uncommitted:
        names = name_first(obstacles.uncommitted)
        return f"{merge}, once your changes to {names} are committed or stashed"
    return merge


def _carry_files(carried: CarriedFiles, listener: Listener, to: str = "the isolated run") -> None:
    too_large = carried.carry()
    if paths := carried.list_paths():
        listener(Notice(f"{to} gets {name_first(paths)} from your folder: not in git"))
    if too_large:
        listener(Notice(f"too large for {to}: {name_first(too_large)}"))


def _report_uncommitted(project: Path, carried: CarriedFiles, listener: Listener) -> None:
    private = set(carried.list_paths())
    paths = [path for path in list_uncommitted(project) if path not in private]
    if paths:
        named = name_first(paths)
        listener(Notice(f"the isolated run starts from the last commit, without {named}"))


def locate_originals(state: Path, run: str) -> Path:
    """Return the folder with the private files of the user that a run has been given."""
    return run_folder(state, run) / "carried"


def _format_commit_message(task: Task, run: str, result: RunResult) -> str:
    """Return a commit message with the task, the outcome and the run."""
    first = task.text.strip().splitlines()[0]
    subject = first if len(first) <= _SUBJECT_LENGTH else f"{first[: _SUBJECT_LENGTH - 1]}…"
    rest = "" if subject == task.text.strip() else f"{task.text.strip()}\n\n"
    attempts = format_count(len(result.attempts), "attempt")
    rules = format_count(sum(attempt.rule is not None for attempt in result.attempts), "rule")
    return (
        f"{subject}\n\n{rest}Outcome: {result.outcome} after {attempts}, "
        f"{rules} learned\nRun: {run}\n"
    )
