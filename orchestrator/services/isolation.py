"""Where a run works: in the user's own folder, or in a git work tree of its own.

<state>/worktrees/<run id>/      the work tree, on the branch `orchestrator/<run id>`
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError, UsageError
from orchestrator.events import Listener, Notice
from orchestrator.models import RunOutcome, RunRecord, RunResult, Task
from orchestrator.platform.locking import FileLock
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import worktree_folder, worktrees_folder
from orchestrator.workspace.worktree import Worktree, list_uncommitted, resolve_worktree

BRANCHES: Final = "orchestrator/"

_MOST_NAMED: Final = 3
_SUBJECT_LENGTH: Final = 72


@dataclass
class WorkFolder:
    """The folder that a run works in; the user's own unless it has a work tree."""

    folder: Path
    worktree: Worktree | None = None
    started: bool = False
    """Whether a process has taken the run up, so that it can be resumed."""
    ended: bool = False
    """Whether it has ended for good."""
    lost: bool = False
    """Whether another process carries the run now."""

    def commit_work(self, task: Task, run: str, result: RunResult, rules: Sequence[str]) -> None:
        """Commit what a run that has ended leaves behind, the files with its rules included.

        To be called before the end is on record: whoever dies in between commits again.

        Raises:
            InfrastructureError: git failed.
        """
        self.ended = result.outcome in _FINAL_OUTCOMES
        if self.worktree and self.ended:
            self.worktree.commit(_format_commit_message(task, run, result), rules)


_FINAL_OUTCOMES: Final = (RunOutcome.SOLVED, RunOutcome.NOT_SOLVED, RunOutcome.MISCONFIGURED)
"""Outcomes that no `resume` goes on from."""


@contextlib.contextmanager
def open_worktree(
    project: Path, run: str, state: Path, listener: Listener, *, fresh: bool
) -> Iterator[WorkFolder]:
    """Give the run a work tree of its own; remove it once nothing goes on in it.

    After an end that `resume` cannot go on from, the branch has all the work and the work tree is
    removed, and the branch too when there is nothing on it. Otherwise both stay for `resume`.

    Args:
        project: the user's project.
        run: the run's id.
        state: the state directory.
        listener: told where the work is.
        fresh: whether no process has taken the run up yet; then the work tree is made, unless a
            process that was killed has made it.

    Raises:
        UsageError: the project is in no repository or has no commit, or the work tree is gone.
        InfrastructureError: git failed.
    """
    branch = BRANCHES + run
    worktree = resolve_worktree(project, worktree_folder(state, run), branch)
    made = fresh and not worktree.is_complete()
    if made:
        _report_uncommitted(project, listener)
        worktree.create()
    elif not worktree.project.is_dir():
        raise UsageError(
            f"the work tree of run {run} is gone: {worktree.folder}",
            f"start a new run; what was committed is on the branch {branch}",
        )
    place = WorkFolder(worktree.project, worktree)
    try:
        yield place
    finally:
        if made and not place.started:
            worktree.remove(with_branch=True)
        elif place.ended:
            _remove_worktree(worktree, listener)
        elif not place.lost:
            listener(Notice(f"`orchestrator resume {run}` goes on in {worktree.folder}"))


def remove_leftover_worktrees(project: Path, store: Store, listener: Listener) -> None:
    """Remove the work trees of this project's runs that were killed after they had ended.

    Whoever dies between the end on record and the removal leaves one. Where something is in it
    that is not on the branch, it stays.

    Args:
        project: the user's project.
        store: knows the runs.
        listener: told of each.
    """
    with FileLock(store.locks / "worktrees.lock"):  # several runs may begin at once
        for folder in sorted(worktrees_folder(store.directory).glob("*")):
            record = _find_ended_run(folder.name, store)
            if not record or record.task.project != project:
                continue
            try:
                worktree = resolve_worktree(project, folder, BRANCHES + record.id)
                left = worktree.list_uncommitted_paths()
                if left:
                    what = f"{left[0]} and {len(left) - 1} more" if left[1:] else left[0]
                    listener(Notice(f"run {record.id} has ended; {what} is only in {folder}"))
                    continue
                listener(Notice(f"removing what run {record.id} left when it was killed: {folder}"))
                _remove_worktree(worktree, listener)
            except LoopError as error:
                listener(Notice(f"{folder} of run {record.id}, which has ended, stays: {error}"))


def _find_ended_run(run: str, store: Store) -> RunRecord | None:
    """The record of a run that has ended for good, and whose process is not there any more."""
    try:
        record = store.find_run(run)
    except UsageError:
        return None  # one that is only beginning, or not ours
    if record.id != run or record.outcome not in _FINAL_OUTCOMES or not record.ended:
        return None
    return None if record.carried else record


def _remove_worktree(worktree: Worktree, listener: Listener) -> None:
    anything = worktree.has_commits()
    worktree.remove(with_branch=not anything)
    if anything:
        listener(
            Notice(
                f"the work is on the branch {worktree.branch}: `git diff HEAD...{worktree.branch}` "
                f"shows it, `git merge {worktree.branch}` takes it over"
            )
        )
    else:
        listener(Notice("the run changed nothing, so it leaves no branch"))


def _report_uncommitted(project: Path, listener: Listener) -> None:
    paths = list_uncommitted(project)
    if not paths:
        return
    named = ", ".join(paths[:_MOST_NAMED])
    more = f" and {len(paths) - _MOST_NAMED} more" if len(paths) > _MOST_NAMED else ""
    listener(Notice(f"the isolated run begins at the last commit; it does not see {named}{more}"))


def _format_commit_message(task: Task, run: str, result: RunResult) -> str:
    """A commit message that names the task and the run."""
    first = task.text.strip().splitlines()[0]
    subject = first if len(first) <= _SUBJECT_LENGTH else f"{first[: _SUBJECT_LENGTH - 1]}…"
    rest = "" if subject == task.text.strip() else f"{task.text.strip()}\n\n"
    attempts = f"{len(result.attempts)} attempt{'s' if len(result.attempts) != 1 else ''}"
    rules = sum(attempt.rule is not None for attempt in result.attempts)
    return (
        f"{subject}\n\n{rest}Outcome: {result.outcome} after {attempts}, "
        f"{rules} rule{'s' if rules != 1 else ''} learned\nRun: {run}\n"
    )
