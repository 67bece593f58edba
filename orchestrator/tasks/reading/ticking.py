"""Tick the line of a task that is done, and change nothing else.

The file is read again, and the line found again: a person may have edited it while the task ran.
"""

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from orchestrator.errors import RulebookError, UsageError
from orchestrator.platform.folders import hash_path
from orchestrator.rulebook.files import replace_file
from orchestrator.rulebook.locking import hold_lock
from orchestrator.storage.state_directory import locks_folder, resolve_state_directory
from orchestrator.tasks.models import ListFormat, TaskItem, TaskList
from orchestrator.tasks.reading.boxes import BoxTask
from orchestrator.tasks.reading.folder import TaskFile, read_task_files
from orchestrator.tasks.reading.front_matter import set_done
from orchestrator.tasks.reading.listing import locate_list, name_path
from orchestrator.tasks.reading.markdown import read_box_tasks
from orchestrator.tasks.reading.prd import Story, find_pass, read_stories
from orchestrator.tasks.reading.source_file import SourceFile, read_source_file

_MOST_TRIES: Final = 20
"""How often the file is read again because somebody else has written it in between."""
_Found = TypeVar("_Found", BoxTask, Story, TaskFile)


class TickResult(StrEnum):
    """What became of a tick."""

    TICKED = "ticked"
    WAS_TICKED = "was ticked"
    LINE_MISSING = "line missing"
    """The task is gone from the list, or has no written id and another title."""
    NOT_POSSIBLE = "not possible"
    """The list has nothing to tick: issues, a text; or its file may not be written."""


def tick_item(tasks: TaskList, item: TaskItem, project: Path) -> TickResult:
    """Tick a task in the user's own list; every other byte of the file stays.

    Raises:
        InfrastructureError: the disk is full or fails, or another process holds the lock.
    """
    path = locate_list(tasks, project)
    if path is None:
        return TickResult.NOT_POSSIBLE
    lock = locks_folder(resolve_state_directory()) / f"list-{hash_path(path.resolve())}.lock"
    with hold_lock(lock, path):
        for _ in range(_MOST_TRIES):
            found = _find_tick(tasks.format, path, item, project)
            if isinstance(found, TickResult):
                return found
            source, text = found
            try:
                if replace_file(source.path, source.encode(text), source.content):
                    return TickResult.TICKED
            except RulebookError:  # it is write-protected
                return TickResult.NOT_POSSIBLE
    return TickResult.NOT_POSSIBLE


def _find_tick(
    form: ListFormat, path: Path, item: TaskItem, project: Path
) -> TickResult | tuple[SourceFile, str]:
    """Return the file with the text that it has to get."""
    name = name_path(path, project)
    try:
        if form is ListFormat.FOLDER:
            return _tick_file(read_task_files(path, project, name), item)
        source = read_source_file(path, project, name)
        tick = _tick_story if form is ListFormat.PRD else _tick_box
        text = tick(source.text, item, name)
    except (UsageError, RulebookError):  # such as a list that is being edited, or is gone
        return TickResult.LINE_MISSING
    return text if isinstance(text, TickResult) else (source, text)


def _find_open(tasks: Sequence[_Found], item: TaskItem) -> _Found | TickResult:
    """Return the task as the list has it now, or why it is not ticked."""
    found = [each for each in tasks if each.item.id == item.id]
    if len(found) != 1:
        return TickResult.LINE_MISSING
    return TickResult.WAS_TICKED if found[0].item.done else found[0]


def _tick_box(text: str, item: TaskItem, name: str) -> TickResult | str:
    tasks = read_box_tasks(text, name)
    found = _find_open(tasks, item)
    if isinstance(found, TickResult):
        return found
    characters = list(text)
    for at in (found.box.mark, *_find_completed(found, tasks)):
        characters[at] = "x"
    return "".join(characters)


def _find_completed(task: BoxTask, tasks: Sequence[BoxTask]) -> list[int]:
    """Return the boxes above a task that it completes: it is the last that was open below them."""
    marks = []
    for above in task.above:
        below = [each for each in tasks if any(one.line == above.line for one in each.above)]
        if any(not each.item.done and each.box.line != task.box.line for each in below):
            break
        if not above.done:
            marks.append(above.mark)
    return marks


def _tick_story(text: str, item: TaskItem, name: str) -> TickResult | str:
    found = _find_open(read_stories(text, name), item)
    if isinstance(found, TickResult):
        return found
    start, end = find_pass(text, found.at)
    return f"{text[:start]}true{text[end:]}"


def _tick_file(tasks: tuple[TaskFile, ...], item: TaskItem) -> TickResult | tuple[SourceFile, str]:
    found = _find_open(tasks, item)
    if isinstance(found, TickResult):
        return found
    try:
        return found.source, set_done(found.source.text, found.matter)
    except ValueError:
        return TickResult.NOT_POSSIBLE
