"""Choose the task that starts next: unblocked ones, by priority and place in the list."""

from collections.abc import Callable, Collection, Mapping, Sequence

from orchestrator.tasks.models import FINISHED, UNFINISHED, TaskItem, TaskRecord, TaskState

Clash = Callable[[TaskItem, TaskItem], bool]
"""Returns whether two tasks that both name their files may change the same ones."""


def explain_blocked(tasks: Collection[TaskRecord]) -> dict[str, str]:
    """Return why waiting tasks cannot start yet, by their ids."""
    states = {each.item.id: each.state for each in tasks}
    blocked = {}
    for each in tasks:
        if each.state is TaskState.WAITING and (reason := _find_block(each, states)):
            blocked[each.item.id] = reason
    return blocked


def _find_block(record: TaskRecord, states: Mapping[str, TaskState]) -> str:
    for other in record.item.depends:
        state = states.get(other, TaskState.REMOVED)
        if state not in FINISHED:
            return f"depends on {other}: {state}"
    # A work that never lands holds nobody up.
    if states.get(record.after) in UNFINISHED:
        return f"changed the same lines as {record.after}, which lands first"
    return ""


def choose_next(tasks: Collection[TaskRecord], clash: Clash) -> TaskRecord | None:
    """Return the task that starts next beside those that run or wait to be merged.

    Args:
        tasks: all tasks of the list, in its order.
        clash: whether two tasks with known files may change the same ones.
    """
    blocked = explain_blocked(tasks)
    active = [each.item for each in tasks if each.state in (TaskState.RUNNING, TaskState.MERGING)]
    ready = [
        each
        for each in tasks
        if each.state is TaskState.WAITING
        and each.item.id not in blocked
        and all(can_run_beside(each.item, other, clash) for other in active)
    ]
    return min(ready, key=_rank, default=None)


def can_run_beside(one: TaskItem, other: TaskItem, clash: Clash) -> bool:
    """Return whether two tasks may run at a time.

    Of tasks whose files are not known only one runs at a time, unless both are marked `[P]`.
    """
    if one.files is not None and other.files is not None:
        return not clash(one, other)
    if one.parallel and other.parallel:
        return True
    return one.files is not None or other.files is not None


def plan_batches(
    items: Sequence[TaskItem], lanes: int, clash: Clash
) -> tuple[tuple[str, ...], ...]:
    """Return the ids of tasks in the order of starting, as if all took the same time.

    The tasks of one batch run side by side. Those that can never start are missing.

    Args:
        items: the tasks that are not done, in the list's order; dependencies elsewhere count as
            done.
        lanes: most tasks of one batch.
        clash: whether two tasks with known files may change the same ones.
    """
    left, batches = list(items), list[tuple[str, ...]]()
    while left:
        waiting = {each.id for each in left}
        batch: list[TaskItem] = []
        for each in sorted(left, key=lambda item: (item.priority, item.position)):
            is_free = not waiting.intersection(each.depends) and not each.hold
            if is_free and all(can_run_beside(each, other, clash) for other in batch):
                batch.append(each)
        if not batch:
            break
        batch = batch[:lanes]
        batches.append(tuple(each.id for each in batch))
        left = [each for each in left if each not in batch]
    return tuple(batches)


def _rank(record: TaskRecord) -> tuple[int, int]:
    return record.item.priority, record.item.position
