"""Clean up after killed runs of a project: restore swapped files, and end their processes.

The next run in the project does this before anything else.
"""

from collections.abc import Iterator
from pathlib import Path

from orchestrator.counts import format_count
from orchestrator.events import Listener, Notice
from orchestrator.models import RunRecord
from orchestrator.platform.process_tree import end_marked_processes
from orchestrator.services.project_lock import lock_project
from orchestrator.storage.runs import Store
from orchestrator.workspace.swap import FinishedSwap, SwapNote, finish_swap


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
