"""Clean up after killed runs of a project: restore swapped files, and end their processes.

The next run in the project does this before anything else.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.counts import format_count
from orchestrator.errors import InfrastructureError
from orchestrator.events import Listener, Notice
from orchestrator.models import RunRecord
from orchestrator.platform.folders import hash_path
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.process_tree import end_marked_processes
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import worktree_folder
from orchestrator.workspace.swap import FinishedSwap, SwapNote, finish_swap


@contextlib.contextmanager
def lock_project(folder: Path, store: Store) -> Iterator[None]:
    """Keep other runs out of a folder.

    Raises:
        InfrastructureError: another run works in it.
    """
    lock = FileLock(store.locks / f"project-{hash_path(folder)}.lock", 0)
    try:
        lock.acquire()
    except LockHeldError:
        # Nothing is wrong with the usage: the same command works later.
        raise InfrastructureError(
            f"another run works in {folder}{_describe_active_run(folder, store)}",
            "wait for it, or start one beside it with `orchestrator run --isolate`",
        ) from None
    try:
        yield
    finally:
        lock.release()


def _describe_active_run(folder: Path, store: Store) -> str:
    """Return the id and the start of the run that works in a folder; empty if it is not found."""
    for each in store.list_active_runs():
        worktree = worktree_folder(store.directory, each.id)
        place = worktree if worktree.exists() else each.task.project
        # Before it is claimed it does not work yet, as that of the caller.
        if each.token and (folder == place or worktree in folder.parents):
            return f": {each.id}, since {each.started.astimezone():%Y-%m-%d %H:%M}"
    return ""


def recover_project(project: Path, store: Store, listener: Listener) -> None:
    """Restore the files that a killed run of a project has left swapped.

    What it has left running was ended when the database was opened.

    Raises:
        InfrastructureError: files are swapped, and cannot be restored, or another run works in the
            project.
    """
    if SwapNote.for_project(project, store.directory).path.exists():
        with lock_project(project, store):
            revert_swap(project, store, listener)


def end_leftover_processes(record: RunRecord, listener: Listener) -> None:
    """End the processes that a run has left running; it must not be active.

    Args:
        record: the run.
        listener: receives a notice.
    """
    _report_ended(end_marked_processes(record.id), record.id, listener)


def _report_ended(count: int, run: str, listener: Listener) -> None:
    if count:
        what = format_count(count, "process", "processes")
        listener(Notice(f"ended {what} that run {run} had left running"))


def revert_swap(project: Path, store: Store, listener: Listener) -> None:
    """Restore the files of an attempt that a killed run left swapped, and end its processes.

    The caller holds the lock of the folder.

    Args:
        project: the folder that a run works in.
        store: its state directory has the note of the swap.
        listener: receives notices of what was ended and restored.

    Raises:
        InfrastructureError: they cannot be restored.
    """
    finished = finish_swap(project, store.directory)
    if finished is None:
        return
    _report_ended(finished.ended, finished.run, listener)
    listener(Notice("a comparison was cut short: the attempt's files are back in place"))
    for text in _describe_swap(finished):
        listener(Notice(text))


def _describe_swap(finished: FinishedSwap) -> Iterator[str]:
    for path in finished.left:
        yield f"left as it is, because it changed since: {path}"
    for path in finished.replaced:
        yield f"the suite writes it, so the attempt's version is back: {path}"
    if finished.replaced:
        yield f"  a file as it was: {finished.restore_command} > PATH"
