"""Read what only the form of spec-kit says: its phases block, and its texts name files.

A list has this form if it has a heading `Phase N` and a task `T001` below it. There:
- a task without `[P]` waits for those of its phase before it, and those after it wait for it; one
  that names what it depends on waits for that only
- tasks of a phase wait for all of the nearest phase before it that is called setup, foundational,
  blocking or prerequisites; phases of user stories do not wait for each other
- the tasks of a phase called polish, cross-cutting or final wait for all tasks of all phases before
- without `files:`, the paths in a title are the files of the task: those with a folder and a suffix
  (`src/models/user.py`), or that end with `/` after "in", "to", "at" or "under"; a title with a
  placeholder (`src/[name].py`) has none
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.tasks.reading.boxes import Box, BoxFile, BoxTask

_PHASE: Final = re.compile(r"phase\s+(?:\d+|n)\b", re.I)
_TASK_ID: Final = re.compile(r"T\d{2,6}[a-z]?")
_BLOCKING: Final = re.compile(r"set-?up|foundation|blocking|prerequisite", re.I)
_LAST: Final = re.compile(r"polish|cross-cutting|\bfinal\b", re.I)
_PATH: Final = re.compile(r"(?<![\w./@:-])(?:[\w.-]+/)+[\w-][\w.-]*\.[A-Za-z]\w{0,9}(?![\w/(*\[{])")
_FOLDER: Final = re.compile(r"\b(?:in|to|at|under)\s+`?((?:[\w.-]+/)+)`?(?=[\s,;.)]|$)")
_PLACEHOLDER: Final = re.compile(r"[\w/]\[[^\[\]]*\]|\[[^\[\]]*\][\w/.]|<\w+>|\{\w+\}")
_MOST_DEPENDENCIES: Final = 300_000


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


def add_phases(tasks: Sequence[BoxTask], file: BoxFile, name: str) -> tuple[BoxTask, ...]:
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
    total = 0
    for (line, title), members in phases.items():
        ids = tuple(each.item.id for each in members)
        others = tuple(before) if _LAST.search(title) else blocking
        waits |= {each: (*others, *own) for each, own in _order_phase(members).items()}
        total += len(others) * len(ids)
        if total > _MOST_DEPENDENCIES:
            raise UsageError(
                f"{name}:{line}: this phase waits for too many tasks", "split the list"
            )
        before += ids
        if _BLOCKING.search(title):
            blocking = ids
    return tuple(_add_dependencies(each, waits) for each in tasks)


def _find_phase(box: Box) -> tuple[int, str] | None:
    """Return the line and title of the phase that a box is in."""
    return next((each for each in box.headings if _PHASE.match(each[1])), None)


def _order_phase(members: Sequence[BoxTask]) -> dict[str, tuple[str, ...]]:
    """Return what each task of a phase waits for within it, by the ids."""
    waits: dict[str, tuple[str, ...]] = {}
    serial, beside = tuple[str, ...](), list[str]()
    for each in members:
        item = each.item
        waits[item.id] = serial if item.parallel else (*serial, *beside)
        if item.depends:
            waits[item.id] = ()
        if item.parallel:
            beside.append(item.id)
        else:
            serial, beside = (item.id,), []
    return waits


def _add_dependencies(task: BoxTask, waits: dict[str, tuple[str, ...]]) -> BoxTask:
    item = task.item
    depends = dict.fromkeys((*item.depends, *waits.get(item.id, ())))
    return replace(task, item=replace(item, depends=tuple(depends)))
