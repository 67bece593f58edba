"""Read what only the form of spec-kit says: its phases block, and its texts name files.

A list has this form if it has a heading `Phase N` and a task `T001` below it. There:
- a task without `[P]` waits for those of its phase before it, and those after it wait for it; one
  that names what it depends on waits for that only, and two whose `files:` differ do not wait for
  each other; paths in a title are not enough for that: there, an order without `[P]` is meant
- tasks of a phase wait for all of the nearest phase before it that is called setup, foundational,
  blocking or prerequisites; phases of user stories do not wait for each other
- the tasks of a phase called polish, cross-cutting or final wait for all tasks of all phases before
- what a person wrote counts more: nobody waits for a task that, by written dependencies, waits for
  it, even if the phases say so
- without `files:`, the paths in a title are the files of the task: those with a folder and a suffix
  (`src/models/user.py`), or that end with `/` after "in", "to", "at" or "under"; a title with a
  placeholder (`src/[name].py`) has none
"""

import re
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.tasks.hot_files import conflicts
from orchestrator.tasks.models import TaskItem
from orchestrator.tasks.reading.boxes import Box, BoxFile, BoxTask

_PHASE: Final = re.compile(r"phase\s+(?:\d+|n)\b", re.I)
_TASK_ID: Final = re.compile(r"T\d{2,6}[a-z]?")
_BLOCKING: Final = re.compile(r"set-?up|foundation|blocking|prerequisite", re.I)
_LAST: Final = re.compile(r"polish|cross-cutting|\bfinal\b", re.I)
_PATH: Final = re.compile(r"(?<![\w./@:-])(?:[\w.-]+/)+[\w-][\w.-]*\.[A-Za-z]\w{0,9}(?![\w/(*\[{])")
_FOLDER: Final = re.compile(r"\b(?:in|to|at|under)\s+`?((?:[\w.-]+/)+)`?(?=[\s,;.)]|$)")
_PLACEHOLDER: Final = re.compile(r"[\w/]\[[^\[\]]*\]|\[[^\[\]]*\][\w/.]|<\w+>|\{\w+\}")
_MOST_DEPENDENCIES: Final = 300_000
_MOST_COMPARED: Final = 20
"""Tasks of its phase with which the files of a task are compared."""
_LONGEST_COMPARED: Final = 500
"""Tasks of a list up to which files are compared: in a longer one, the order of a phase counts."""


def is_spec_kit(file: BoxFile) -> bool:
    """Return whether a list has the form of spec-kit."""
    return any(_TASK_ID.fullmatch(box.id) and _find_phase(box) for box in file.boxes)


def find_paths(title: str) -> tuple[str, ...] | None:
    """Return the files that the title of a task plainly names; None if it names none."""
    if _PLACEHOLDER.search(title):
        return None
    paths = [found[0] for found in _PATH.finditer(title)]
    folders = [f"{found[1]}**" for found in _FOLDER.finditer(title)]
    named = [each for each in (*paths, *folders) if ".." not in each.split("/")]
    return tuple(dict.fromkeys(each.removeprefix("./") for each in named)) or None


def add_phases(tasks: Sequence[BoxTask], name: str) -> tuple[BoxTask, ...]:
    """Return tasks with the dependencies that their phases give them.

    Raises:
        UsageError: there are too many.
    """
    phases: dict[tuple[int, str], list[BoxTask]] = {}
    for task in tasks:
        if phase := _find_phase(task.box):
            phases.setdefault(phase, []).append(task)
    waits: dict[str, tuple[str, ...]] = {}
    before: list[str] = []
    blocking: tuple[str, ...] = ()
    total, is_long = 0, len(tasks) > _LONGEST_COMPARED
    for (line, title), members in phases.items():
        ids = tuple(each.item.id for each in members)
        others = tuple(before) if _LAST.search(title) else blocking
        waits |= {each: (*others, *own) for each, own in _order_phase(members, is_long).items()}
        total += len(others) * len(ids)
        if total > _MOST_DEPENDENCIES:
            raise UsageError(
                f"{name}:{line}: this phase waits for too many tasks", "split the list"
            )
        before += ids
        if _BLOCKING.search(title):
            blocking = ids
    kept = _drop_contradictions([each.item for each in tasks], waits, name)
    return tuple(_add_dependencies(each, kept) for each in tasks)


def _find_phase(box: Box) -> tuple[int, str] | None:
    """Return the line and title of the phase that a box is in."""
    return next((each for each in box.headings if _PHASE.match(each[1])), None)


def _order_phase(members: Sequence[BoxTask], is_long: bool) -> dict[str, tuple[str, ...]]:
    """Return what each task of a phase waits for within it, by the ids."""
    order: dict[str, tuple[str, ...]] = {}
    serial, beside = tuple[str, ...](), list[str]()
    for each in members:
        item = each.item
        order[item.id] = serial if item.parallel else (*serial, *beside)
        if item.parallel:
            beside.append(item.id)
        else:
            serial, beside = (item.id,), []
    items = {each.item.id: each.item for each in members}
    waits: dict[str, tuple[str, ...]] = {}
    apart: dict[str, tuple[str, ...]] = {}
    for name, item in items.items():
        if item.depends or is_long:
            waits[name], apart[name] = () if item.depends else order[name], ()
        else:
            waits[name], apart[name] = _split_apart(item, items, order, apart)
    return waits


def _split_apart(
    item: TaskItem,
    items: Mapping[str, TaskItem],
    order: Mapping[str, tuple[str, ...]],
    apart: Mapping[str, tuple[str, ...]],
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return which tasks before it a task waits for, and which not because they differ in files.

    Args:
        item: the task.
        items: the tasks of its phase.
        order: what each would wait for if files did not count.
        apart: which tasks those before it do not wait for.
    """
    left, seen = deque(order[item.id]), set[str]()
    waits, skipped = list[str](), list[str]()
    while left:
        other = left.popleft()
        if other in seen:
            continue
        seen.add(other)
        if len(seen) <= _MOST_COMPARED and _are_apart(item, items[other]):
            skipped.append(other)
            left += order[other]
        else:
            waits.append(other)
            left += apart.get(other, ())
    return tuple(waits), tuple(skipped)


def _are_apart(one: TaskItem, other: TaskItem) -> bool:
    """Return whether a person wrote for both tasks which files they change, and these differ."""
    is_written = all(each.files and each.files != find_paths(each.title) for each in (one, other))
    return is_written and not conflicts(one, other)


def _drop_contradictions(
    items: Sequence[TaskItem], waits: Mapping[str, tuple[str, ...]], name: str
) -> Mapping[str, tuple[str, ...]]:
    """Return what phases let tasks wait for, without what would make a cycle.

    They let a task wait for earlier ones only. So there is a cycle only where a person lets one
    wait for a later one, and only through what that later one waits for.
    """
    places = {item.id: place for place, item in enumerate(items)}
    written = {item.id: item.depends for item in items}
    later = [
        each for item in items for each in item.depends if places.get(each, -1) > places[item.id]
    ]
    suspects = _find_reached(later, written)
    waited_by: dict[str, list[str]] = {}
    for item in items:
        for each in item.depends:
            waited_by.setdefault(each, []).append(item.id)
    kept, total = dict(waits), 0
    for item in items:
        if item.id in suspects:
            behind = _find_reached([item.id], waited_by)
            kept[item.id] = tuple(each for each in kept.get(item.id, ()) if each not in behind)
            total += len(behind)
        if total > _MOST_DEPENDENCIES:
            raise UsageError(
                f"{name}:{item.line}: too many tasks wait for later ones", "split the list"
            )
        for each in kept.get(item.id, ()):
            waited_by.setdefault(each, []).append(item.id)
    return kept


def _find_reached(starts: Iterable[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    """Return the ids that edges lead to from some, these included."""
    reached, left = set(starts), list(starts)
    while left:
        new = [each for each in edges.get(left.pop(), ()) if each not in reached]
        reached.update(new)
        left += new
    return reached


def _add_dependencies(task: BoxTask, waits: Mapping[str, tuple[str, ...]]) -> BoxTask:
    item = task.item
    depends = dict.fromkeys((*item.depends, *waits.get(item.id, ())))
    return replace(task, item=replace(item, depends=tuple(depends)))
