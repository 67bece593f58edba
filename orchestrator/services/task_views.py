"""Show lists of tasks as they stand, and change what a person wants of them.

`tasks status` is a light command: nothing here imports what a run needs.
"""

import contextlib
import shlex
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.masking import mask_line
from orchestrator.platform.project import resolve_project
from orchestrator.platform.project_commands import format_git_command
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder, resolve_state_directory
from orchestrator.tasks.choosing import explain_blocked
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.models import (
    GIVEN_UP,
    UNFINISHED,
    ListRecord,
    ListStatus,
    ListSummary,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.store import TaskStore

_LONGEST_ID: Final = 200
_RETRYABLE: Final = (*GIVEN_UP, TaskState.PROPOSED)


def summarize_list(
    identity: str, project: Path | None = None, state: Path | None = None
) -> ListSummary:
    """Return a list with its tasks as they stand.

    Args:
        identity: the list's id, the beginning of it, or `last`.
        project: the directory of the project whose `last` is meant; None for all projects.
        state: the state directory; the user's if None.

    Raises:
        LoopError: there is no such list.
    """
    with _open_list(identity, project, state) as (record, lists):
        return summarize_record(record, lists)


def summarize_record(record: ListRecord, lists: TaskStore) -> ListSummary:
    """Return a list with its tasks, why some are blocked, and how long it may still take."""
    tasks = tuple(lists.load_tasks(record.id))
    ended = [each.seconds for each in tasks if each.state is TaskState.DONE and each.run]
    left = sum(each.state in UNFINISHED for each in tasks)
    seconds = median(ended) * left / record.options.parallel if ended else None
    return ListSummary(record, tasks, explain_blocked(tasks), seconds)


def summarize_lists(state: Path | None = None) -> list[ListSummary]:
    """Return the lists of all projects with their tasks, the newest first."""
    with Store(state or resolve_state_directory()) as store:
        lists = TaskStore(store.database)
        return [summarize_record(each, lists) for each in lists.list_lists()]


def retry_task(
    identity: str, task: str, project: Path | None = None, state: Path | None = None
) -> TaskRecord:
    """Let a task that was given up run again, with its counts at zero; `tasks resume` starts it.

    A proposed task becomes one of the list.

    Raises:
        UsageError: there is no such task, or it was not given up.
    """
    with _open_list(identity, project, state) as (record, lists):
        found = lists.load_task(record.id, task)
        if found.state not in _RETRYABLE:
            raise UsageError(
                f"the task {task} was not given up: {found.state}",
                "only one that is quarantined or needs a person can be tried again",
            )
        lists.change_task(
            record.id, task, state=TaskState.WAITING, failures=0, returns=0, after="", reason=""
        )
        return lists.load_task(record.id, task)


def cancel_list(
    identity: str, project: Path | None = None, state: Path | None = None
) -> ListRecord:
    """Ask the process that works on a list to end its runs; `tasks resume` goes on with it.

    Its jobs are cancelled here: that process may be gone, and workers would go on.

    Raises:
        LoopError: there is no such list, or it has ended.
    """
    with _open_list(identity, project, state) as (record, lists):
        is_cancelled, jobs = lists.cancel_list(record.id), 0
        if JobStore(lists.database).list_unfinished(record.id):
            from orchestrator.services.queue_runner import cancel_jobs  # DBOS takes a second

            jobs = cancel_jobs(lists.database, record.id)
        if not is_cancelled and not jobs:
            raise UsageError(f"the list {record.id} has ended already: {record.status}")
        return lists.find_list(record.id)


@contextlib.contextmanager
def _open_list(
    identity: str, project: Path | None, state: Path | None
) -> Iterator[tuple[ListRecord, TaskStore]]:
    """Open the record of all lists for a time, and give one list with it."""
    folder = resolve_project(project) if project else None
    with Store(state or resolve_state_directory()) as store:
        lists = TaskStore(store.database)
        yield lists.find_list(identity, folder), lists


def locate_work(
    record: ListRecord, tasks: Sequence[TaskRecord], state: Path | None = None
) -> tuple[str, str]:
    """Return the branch with what has landed, and the command that makes it first, if needed.

    Args:
        record: the list.
        tasks: its tasks.
        state: the state directory; the user's if None.
    """
    if not any(each.is_unpublished for each in tasks):
        return record.branch, ""
    from orchestrator.tasks.merging import TIP  # imports git

    branch = f"{record.branch}-tip"  # git would not touch one that is checked out
    repository = list_folder(state or resolve_state_directory(), record.id) / "repository.git"
    refs = f"{shlex.quote(str(repository))} {TIP}:refs/heads/{branch}"
    return branch, format_git_command(f"fetch {refs}", record.project)


def iter_next_steps(
    record: ListRecord, tasks: Sequence[TaskRecord], state: Path | None = None
) -> Iterator[tuple[str, str]]:
    """Yield what a person can do next: in a few words, and the command to be copied.

    Args:
        record: the list.
        tasks: its tasks.
        state: the state directory; the user's if None.
    """
    stuck = [each.item.id for each in tasks if each.state in GIVEN_UP]
    if stuck:
        name = shlex.quote(mask_line(stuck[0], _LONGEST_ID))
        yield "try a task again", f"orchestrator tasks retry {record.id} {name}"
    branch, fetch = locate_work(record, tasks, state)
    waits = record.options.once and any(each.state is TaskState.WAITING for each in tasks)
    ended = (ListStatus.STOPPED, ListStatus.INTERRUPTED, *([ListStatus.ENDED] if waits else ()))
    if fetch or record.status in ended:
        yield "go on", f"orchestrator tasks resume {record.id}"
    if fetch:
        yield "fetch the work", fetch
    if any(each.landed for each in tasks):
        # Not a merge: the base has what was not committed, such as the list itself, and git would
        # not bring that over the user's own file.
        commits = f"{record.base[:12]}..{branch}"
        yield "see the work", format_git_command(f"log --patch {commits}", record.project)
        yield "take it over", format_git_command(f"cherry-pick {commits}", record.project)


def advise_next_steps(
    record: ListRecord, tasks: Sequence[TaskRecord], state: Path | None = None
) -> tuple[str, ...]:
    """Return what a person can do when a list has ended: each command in a line of its own."""
    steps = iter_next_steps(record, tasks, state)
    return tuple(line for words, command in steps for line in (f"{words}:", command))
