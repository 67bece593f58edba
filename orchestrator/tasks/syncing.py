"""Bring a stored list up to date with what a person has changed in it since."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.tasks.models import (
    FINISHED,
    NOT_TICKED,
    ListFormat,
    ListRecord,
    TaskItem,
    TaskList,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.store import TaskStore


def read_list_again(store: TaskStore, record: ListRecord, project: Path) -> TaskList:
    """Return a list as it is now.

    Args:
        store: the stored list.
        record: the list.
        project: the user's project.

    Raises:
        UsageError: it cannot be read any more.
    """
    if record.format is ListFormat.TEXT:  # it is in no file
        items = tuple(each.item for each in store.load_tasks(record.id))
        return TaskList(record.format, record.source, items)
    return read_list(record.source, project)


def sync_items(store: TaskStore, record: ListRecord, tasks: TaskList) -> None:
    """Store new tasks of a list that was read again, changed ones, and those gone or ticked."""
    if record.format is ListFormat.TEXT:
        return
    known = {each.item.id: each for each in store.load_tasks(record.id)}
    if record.format is ListFormat.GITHUB:  # its issues are not ticked
        done = {task for task, each in known.items() if each.state in FINISHED}
        tasks = replace(
            tasks, items=tuple(replace(each, done=each.id in done) for each in tasks.items)
        )
    with store.database.transaction():
        for item in tasks.items:
            if item.id in known:
                _sync_item(store, known[item.id], item)
        store.add_tasks(record.id, [each for each in tasks.items if each.id not in known])
        present = {each.id for each in tasks.items}
        for task, each in known.items():
            if task not in present and each.state not in _AT_WORK and not each.item.proposed:
                store.change_task(record.id, task, state=TaskState.REMOVED)


_AT_WORK: Final = (TaskState.RUNNING, TaskState.MERGING, *FINISHED)
"""States in which a task goes on though its line is gone: its result is not thrown away."""


def _sync_item(store: TaskStore, record: TaskRecord, item: TaskItem) -> None:
    if item.files is None and record.item.files is not None:  # they were predicted
        item = replace(item, files=record.item.files)
    store.replace_item(record.list_id, item)
    state, reason = _find_state(record, item)
    if state is not record.state:
        again = {"failures": 0, "returns": 0} if record.state is TaskState.DONE else {}
        store.change_task(record.list_id, item.id, state=state, reason=reason, **again)


def _find_state(record: TaskRecord, item: TaskItem) -> tuple[TaskState, str]:
    """Return where a task stands after a person has edited the list."""
    state = record.state
    if state in (TaskState.RUNNING, TaskState.MERGING, TaskState.LANDED):
        return state, record.reason
    if item.done and state is not TaskState.DONE:
        return TaskState.DONE, "ticked by a person"
    if state is TaskState.DONE:
        is_unticked = not item.done and not record.reason.startswith(NOT_TICKED)
        if is_unticked and record.landed:  # git may have reverted the file: nothing is paid twice
            reason = "unticked after it landed: `tasks retry` does it again"
            return TaskState.NEEDS_PERSON, reason
        return (TaskState.WAITING, "unticked by a person") if is_unticked else (state, "")
    if item.hold and state is TaskState.WAITING:
        return TaskState.HELD, item.hold
    is_back = state in (TaskState.HELD, TaskState.REMOVED, TaskState.PROPOSED) and not item.hold
    return (TaskState.WAITING, "") if is_back else (state, record.reason)
