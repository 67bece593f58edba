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


def sync_items(store: TaskStore, record: ListRecord, project: Path) -> TaskList:
    """Read a list again, and store new tasks, changed ones, and those that are gone or ticked.

    Args:
        store: the stored list.
        record: the list.
        project: the user's project.

    Returns:
        The list as it is now.

    Raises:
        UsageError: it cannot be read any more.
    """
    known = {each.item.id: each for each in store.load_tasks(record.id)}
    if record.format is ListFormat.TEXT:  # it is in no file
        items = tuple(each.item for each in known.values())
        return TaskList(record.format, record.source, items)
    tasks = read_list(record.source, project)
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
    return tasks


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
