"""Read a list in whatever form it is written."""

import os
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.platform import files
from orchestrator.tasks.models import ListFormat, TaskItem, TaskList
from orchestrator.tasks.reading import github
from orchestrator.tasks.reading.folder import read_task_files
from orchestrator.tasks.reading.graph import check_items
from orchestrator.tasks.reading.item_text import (
    clean_text,
    clean_title,
    hash_titles,
    mask_items,
    require_bounded_text,
)
from orchestrator.tasks.reading.markdown import read_markdown
from orchestrator.tasks.reading.prd import read_prd
from orchestrator.tasks.reading.source_file import read_source_file

MOST_TASKS: Final = 10_000
_HINT: Final = "name a file with tasks, a folder of them, or github:LABEL"


def read_list(source: str, project: Path) -> TaskList:
    """Return a list, checked by `check_items`.

    Args:
        source: a file, a folder, or `github:LABEL`; a relative path starts at the project's folder,
            or at the working directory if there is nothing.
        project: the user's project.

    Raises:
        UsageError: there is no list, it has no task, or a task cannot be meant as it is written.
        LoopError: it cannot be read.
    """
    if source.startswith(github.PREFIX):
        items = github.read_issues(source.removeprefix(github.PREFIX).strip(), project)
        form, name = ListFormat.GITHUB, source
    else:
        path = _find_path(source, project)
        name = name_path(path, project)
        form = _find_format(path)
        items = read_items(form, path, project, name)
    if len(items) > MOST_TASKS:
        raise UsageError(f"{name} has more than {MOST_TASKS:,} tasks", "split the list")
    items = mask_items(items, name)
    check_items(items, name)
    return TaskList(form, name, items)


def build_text_list(text: str) -> TaskList:
    """Return a list of one task, whose text is given.

    Raises:
        UsageError: it is empty, or too long.
    """
    lines = text.strip().splitlines()
    if not lines:
        raise UsageError("the task is empty", "say what to do")
    require_bounded_text(text, "the text")
    title = clean_title(lines[0]) or "task"
    item = TaskItem(hash_titles(text), title, clean_text(text).strip(), 0)
    return TaskList(ListFormat.TEXT, "", mask_items([item], ""))


def list_paths(tasks: TaskList, project: Path) -> tuple[str, ...]:
    """Return the files or the folder of a list, relative to the project; none if it is outside.

    A link and the file that it leads to are both named.
    """
    path = locate_list(tasks, project)
    if path is None:
        return ()
    places = [(path, project), (Path(os.path.realpath(path)), Path(os.path.realpath(project)))]
    found = [
        each.relative_to(root).as_posix() for each, root in places if each.is_relative_to(root)
    ]
    return tuple(dict.fromkeys(found))


def locate_list(tasks: TaskList, project: Path) -> Path | None:
    """Return the file or folder of a list; None if it has none."""
    if tasks.format in (ListFormat.TEXT, ListFormat.GITHUB):
        return None
    return Path(os.path.normpath(project / tasks.source))


def read_items(
    form: ListFormat, path: Path, project: Path, name: str, *, commands: bool = True
) -> tuple[TaskItem, ...]:
    """Return the tasks of a file or folder, neither checked nor masked.

    Args:
        form: how it is written.
        path: the file or folder.
        project: what links must not lead out of.
        name: what errors call it.
        commands: whether its author may name commands, and work without a change.

    Raises:
        UsageError: it has no task, or a task cannot be meant as it is written.
        LoopError: it cannot be read.
    """
    if form is ListFormat.FOLDER:
        found = read_task_files(path, project, name, commands=commands)
        return tuple(each.item for each in found)
    text = read_source_file(path, project, name).text
    if form is ListFormat.PRD:
        return read_prd(text, name, commands=commands)
    return read_markdown(text, name, commands=commands)


def name_path(path: Path, project: Path) -> str:
    """Return a path from the project's folder, or the whole path if it is outside."""
    return path.relative_to(project).as_posix() if path.is_relative_to(project) else str(path)


def _find_path(source: str, project: Path) -> Path:
    if not source.strip() or "\0" in source:
        raise UsageError("no list is named", _HINT)
    if not source.isprintable():
        raise UsageError(f"the path of the list is not printable: {source!r}", "rename it")
    for start in (project, Path.cwd()):
        path = Path(os.path.normpath(start / source))
        if files.exists(path) or files.is_link(path):
            return path
    raise UsageError(f"there is no list {source}", _HINT)


def _find_format(path: Path) -> ListFormat:
    if files.is_folder(path):
        return ListFormat.FOLDER
    return ListFormat.PRD if path.suffix.lower() == ".json" else ListFormat.MARKDOWN
