"""Choose the task that starts next: unblocked ones, by priority and place in the list."""

import heapq
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final

from orchestrator.tasks.models import FINISHED, UNFINISHED, TaskItem, TaskRecord, TaskState

Rank = tuple[int, int, str]
"""Priority, place in the list, and id: the least is chosen first."""
_MOST_PASSED: Final = 50
"""Tasks that a plan passes over to fill one batch: of thousands that all change the same files,
each would be compared with each."""

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
        each for each in tasks if each.state is TaskState.WAITING and each.item.id not in blocked
    ]
    for each in sorted(ready, key=lambda each: _rank(each.item)):
        if all(can_run_beside(each.item, other, clash) for other in active):
            return each
    return None


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
    missing, dependents = _count_missing(items)
    ready = [_rank(each) for each in items if not missing[each.id] and not each.hold]
    heapq.heapify(ready)
    by_rank = {_rank(each): each for each in items}
    batches = list[tuple[str, ...]]()
    while ready:
        batch, passed = list[TaskItem](), list[Rank]()
        while ready and len(batch) < lanes and len(passed) < _MOST_PASSED:
            each = by_rank[rank := heapq.heappop(ready)]
            if all(can_run_beside(each, other, clash) for other in batch):
                batch.append(each)
            else:
                passed.append(rank)
        batches.append(tuple(each.id for each in batch))
        freed = []
        for other in (other for each in batch for other in dependents.get(each.id, ())):
            missing[other.id] -= 1
            freed += [] if missing[other.id] or other.hold else [_rank(other)]
        for rank in (*passed, *freed):
            heapq.heappush(ready, rank)
    return tuple(batches)


def _count_missing(items: Sequence[TaskItem]) -> tuple[dict[str, int], dict[str, list[TaskItem]]]:
    """Return how many tasks each one waits for, and which tasks wait for each, by their ids."""
    known = {each.id for each in items}
    missing, dependents = dict[str, int](), dict[str, list[TaskItem]]()
    for each in items:
        others = known.intersection(each.depends)
        missing[each.id] = len(others)
        for other in others:
            dependents.setdefault(other, []).append(each)
    return missing, dependents


def _rank(item: TaskItem) -> Rank:
    return item.priority, item.position, item.id
