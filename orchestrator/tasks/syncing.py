"""Bring a stored list up to date with what a person has changed in it since."""

from dataclasses import replace
from pathlib import Path

from orchestrator.tasks.models import (
    FINISHED,
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
    with store.database.transaction():
        for item in tasks.items:
            if item.id in known:
                _sync_item(store, known[item.id], item)
        store.add_tasks(record.id, [each for each in tasks.items if each.id not in known])
        present = {each.id for each in tasks.items}
        for task, each in known.items():
            # One that is at work ends first: its result is not thrown away.
            if task not in present and each.state in (TaskState.WAITING, TaskState.HELD):
                store.change_task(record.id, task, state=TaskState.REMOVED)


def _sync_item(store: TaskStore, record: TaskRecord, item: TaskItem) -> None:
    if item.files is None and record.item.files is not None:  # they were predicted
        item = replace(item, files=record.item.files)
    store.replace_item(record.list_id, item)
    state = record.state
    if item.done and state not in FINISHED:
        changes = (TaskState.DONE, "ticked by a person")
    elif item.hold and state is TaskState.WAITING:
        changes = (TaskState.HELD, item.hold)
    elif state in (TaskState.HELD, TaskState.REMOVED, TaskState.PROPOSED) and not item.hold:
        changes = (TaskState.WAITING, "")
    else:
        return
    if state in (TaskState.RUNNING, TaskState.MERGING):
        return
    store.change_task(record.list_id, record.item.id, state=changes[0], reason=changes[1])
