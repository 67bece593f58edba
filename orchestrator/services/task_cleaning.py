"""Remove what ended lists have left in the state directory, and nothing that is nowhere else."""

import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from orchestrator.errors import LoopError
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.project import resolve_project
from orchestrator.platform.project_commands import format_git_command
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder, resolve_state_directory
from orchestrator.tasks.models import (
    FINISHED,
    Leftover,
    LeftoverKind,
    ListRecord,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.store import TaskStore
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository

WORK_REFS = "refs/orchestrator/work/"
"""Prefix of the refs of what runs have left, by their ids."""


def list_leftovers(project: Path | None = None, state: Path | None = None) -> list[Leftover]:
    """Return what ended lists have left, of a project or of all; those at work are missing."""
    state = state or resolve_state_directory()
    folder = resolve_project(project) if project else None
    found = list[Leftover]()
    with Store(state) as store:
        lists = TaskStore(store.database)
        for record in lists.list_lists(limit=10_000, project=folder):
            lock = _lock_list(record, store)
            if list_folder(state, record.id).is_dir() and lock:
                found += _examine_list(record, lists, store)
            if lock:
                lock.release()
    return found


def remove_leftovers(leftovers: Sequence[Leftover], state: Path | None = None) -> list[Leftover]:
    """Remove what can be removed, and return it.

    Each list is examined again under its lock: what has changed since it was shown stays.

    Raises:
        LoopError: something cannot be removed.
    """
    state, removed = state or resolve_state_directory(), list[Leftover]()
    with Store(state) as store:
        lists = TaskStore(store.database)
        for identity in dict.fromkeys(each.list_id for each in leftovers):
            record = lists.find_list(identity)
            lock = _lock_list(record, store)
            if lock is None:
                continue
            try:
                shown = {each.path for each in leftovers if each.list_id == identity}
                for each in _examine_list(record, lists, store):
                    if each.removable and each.path in shown:
                        _remove_folder(each)
                        removed.append(each)
            finally:
                lock.release()
    return removed


def _examine_list(record: ListRecord, lists: TaskStore, store: Store) -> list[Leftover]:
    folder = list_folder(store.directory, record.id)
    tasks = lists.load_tasks(record.id)
    try:
        repository = open_lane_repository(record.project, folder / "repository.git")
        unmerged = list(_iter_unmerged(record, tasks, folder / "repository.git", repository))
    except LoopError as error:
        kept = Leftover(record.id, LeftoverKind.REPOSITORY, folder, 0, str(error), removable=False)
        return [kept]
    if not unmerged:
        reason = "all of its work is in your repository"
        size = _measure_folder(folder)
        return [Leftover(record.id, LeftoverKind.REPOSITORY, folder, size, reason, removable=True)]
    at_work = {each.lane for each in tasks if each.state is TaskState.RUNNING}
    return unmerged + [
        Leftover(
            record.id,
            LeftoverKind.LANE,
            lane,
            _measure_folder(lane),
            "what its runs have left is in the repository of the list",
            removable=True,
        )
        for lane in sorted((folder / "lanes").glob("*"))
        if lane.is_dir() and lane.name.isdecimal() and int(lane.name) not in at_work
    ]


def _iter_unmerged(
    record: ListRecord, tasks: Sequence[TaskRecord], path: Path, repository: LaneRepository
) -> Iterator[Leftover]:
    """Yield the latest work of each task that has not landed, and a branch that is not published.

    Raises:
        LoopError: the repository of the list cannot be read.
    """
    for each in tasks:
        ref = WORK_REFS + each.run if each.run else ""
        has_work = each.work not in ("", each.base)
        if each.state in (TaskState.RUNNING, TaskState.MERGING) or (
            each.state not in FINISHED and has_work
        ):
            command = format_git_command(f"diff {each.base} {ref}", path) if has_work else ""
            reason = f"{each.item.id} {each.state}: {each.reason}".removesuffix(": ")
            yield Leftover(record.id, LeftoverKind.REPOSITORY, path, 0, reason, False, ref, command)
    if not repository.is_published(record.tip):
        reason = f"your repository does not have all of {record.branch}"
        yield Leftover(record.id, LeftoverKind.REPOSITORY, path, 0, reason, removable=False)


def _remove_folder(leftover: Leftover) -> None:
    """Remove a folder, and of a lane also the notes and the TMPDIR beside it."""
    shutil.rmtree(leftover.path)
    if leftover.kind is LeftoverKind.LANE:
        for beside in leftover.path.parent.glob(f"{leftover.path.name}.*"):
            # `.done` in particular: a new lane of that number would count as prepared.
            if beside.is_dir() and not beside.is_symlink():
                shutil.rmtree(beside)
            else:
                beside.unlink()


def _measure_folder(folder: Path) -> int:
    return sum(each.lstat().st_size for each in folder.rglob("*") if not each.is_dir())


def _lock_list(record: ListRecord, store: Store) -> FileLock | None:
    """Take the lock of a list; None if a process works on it."""
    lock = FileLock(store.locks / f"tasks-{record.id}.lock", 0)
    try:
        lock.acquire()
    except LockHeldError:
        return None
    return lock
