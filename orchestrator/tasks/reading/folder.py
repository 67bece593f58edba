"""Read a folder with a Markdown file for each task.

A task is a file `*.md` right in the folder; not README.md, and not one whose name begins with a
dot. Its front matter, if it has one, may name: `id` (else the name of the file without `.md`),
`title` (else the first heading, else the id), `depends`, `priority`, `files`, `parallel`, `hold`,
`no-change`, `tests` or `done` with a command. It is done with `status: done` (or completed, closed)
or `done: true`. The text after the front matter is what is to be done; boxes in it are its details.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.platform.files import list_folder
from orchestrator.tasks.models import DEFAULT_PRIORITY, TaskItem
from orchestrator.tasks.reading.attributes import DEFAULT_HOLD
from orchestrator.tasks.reading.front_matter import DONE, STATUS, FrontMatter, read_front_matter
from orchestrator.tasks.reading.item_text import clean_text, clean_title, require_bounded_text
from orchestrator.tasks.reading.lines import scan_lines
from orchestrator.tasks.reading.mark_values import (
    MarkError,
    normalize_globs,
    parse_files,
    parse_ids,
    parse_priority,
    require_plain_command,
)
from orchestrator.tasks.reading.source_file import MOST_BYTES, SourceFile, read_source_file

_README: Final = "readme.md"
_DONE_WORDS: Final = ("done", "complete", "completed", "closed")
_MOST_FILES: Final = 10_000
_NUMBER: Final = re.compile(r"(\d+)")


@dataclass(frozen=True)
class TaskFile:
    """The file of a task."""

    item: TaskItem
    source: SourceFile
    matter: FrontMatter


def read_task_files(
    folder: Path, project: Path, name: str, *, commands: bool = True
) -> tuple[TaskFile, ...]:
    """Return the tasks of a folder with their files, in the order of their names.

    Args:
        folder: the folder.
        project: what links must not lead out of.
        name: the folder, for errors, and as the beginning of the path of each task.
        commands: whether the authors may name commands, and work without a change.

    Raises:
        UsageError: it has no task, or a file is none.
        LoopError: a file cannot be read.
    """
    names = list_names(folder)
    if not names:
        raise UsageError(f"{name} has no file `*.md` with a task", "write a file for each task")
    if len(names) > _MOST_FILES:
        raise UsageError(f"{name} has more than {_MOST_FILES:,} tasks", "split the list")
    tasks, total = list[TaskFile](), 0
    for each in names:
        path = f"{name}/{each}"
        source = read_source_file(folder / each, project, path)
        total += len(source.content.data)
        if total > 4 * MOST_BYTES:
            raise UsageError(f"the files of {name} are too long together", "split the list")
        tasks.append(_build_task(source, path, len(tasks), commands=commands))
    return tuple(tasks)


def list_names(folder: Path) -> list[str]:
    """Return the names of the files of tasks, sorted: numbers in them by their value."""
    names = [entry.name for entry in list_folder(folder)]
    return sorted(
        (
            each
            for each in names
            if each.lower().endswith(".md") and not each.startswith(".") and each.lower() != _README
        ),
        key=_split_numbers,
    )


def _split_numbers(name: str) -> tuple[tuple[tuple[int, int | str], ...], str]:
    parts = [part for part in _NUMBER.split(name.lower()) if part]
    # A number of 5,000 digits cannot be converted.
    keys = [(0, int(part)) if part.isdecimal() and len(part) < 100 else (1, part) for part in parts]
    return tuple(keys), name


def _build_task(source: SourceFile, path: str, position: int, *, commands: bool) -> TaskFile:
    matter = read_front_matter(source.text, path)
    stem = path.rpartition("/")[2][:-3]
    if not stem.isprintable():
        raise UsageError(f"the name of a file is not printable: {path!r}", "rename it")
    body = source.text[matter.body :]
    try:
        item = _build_item(matter.fields, body, stem, commands=commands)
    except MarkError as error:
        raise UsageError(f"{path}: {error.message}", error.hint) from None
    require_bounded_text(item.text, path)
    return TaskFile(replace(item, position=position, path=path), source, matter)


def _build_item(fields: Mapping[str, Any], body: str, stem: str, *, commands: bool) -> TaskItem:
    identity = _read_text(fields, "id") or stem
    if len(identity) > 200 or not identity.isprintable():
        raise MarkError("its `id` is not usable", "write a short one")
    heading, rest = _find_heading(body)
    title = _read_text(fields, "title") or heading or identity
    text = clean_text("\n\n".join(part for part in (title, rest.strip()) if part))
    hold, is_done = fields.get("hold"), _is_done(fields)
    return TaskItem(
        id=identity,
        title=clean_title(title),
        text=text,
        position=0,
        done=is_done,
        depends=_read_ids(fields),
        priority=_read_priority(fields.get("priority")),
        parallel=fields.get("parallel") is True,
        files=_read_files(fields.get("files")),
        check=_read_check(fields) if commands and not is_done else "",
        hold=DEFAULT_HOLD if hold is True else clean_title(_read_text(fields, "hold")),
        no_change=commands and (fields.get("no-change") or fields.get("no_change")) is True,
    )


def _read_text(fields: Mapping[str, Any], key: str) -> str:
    value = fields.get(key)
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value).strip()
    return ""


def _read_ids(fields: Mapping[str, Any]) -> tuple[str, ...]:
    for key in ("depends", "depends-on", "depends_on", "dependencies"):
        value = fields.get(key)
        if isinstance(value, list):
            return tuple(dict.fromkeys(str(each).strip() for each in value if each is not None))
        if isinstance(value, str | int) and not isinstance(value, bool):
            return parse_ids(str(value), sure=True) or ()
    return ()


def _read_priority(value: object) -> int:
    if value is None:
        return DEFAULT_PRIORITY
    priority = parse_priority(value)
    if priority is None:
        raise MarkError(f"`priority: {str(value)[:60]}` is none", "write a number from 1 to 9")
    return priority


def _read_files(value: object) -> tuple[str, ...] | None:
    if isinstance(value, list):
        return normalize_globs([str(each) for each in value if each is not None])
    if isinstance(value, str):
        return parse_files(value) or normalize_globs([value])
    return None


def _read_check(fields: Mapping[str, Any]) -> str:
    for key in ("tests", DONE):
        value = fields.get(key)
        if isinstance(value, str) and value.strip():
            return require_plain_command(value.strip())
    return ""


def _is_done(fields: Mapping[str, Any]) -> bool:
    if fields.get(DONE) is True:
        return True
    return _read_text(fields, STATUS).lower() in _DONE_WORDS


def _find_heading(body: str) -> tuple[str, str]:
    """Return the first heading of a text, and the text without it if it begins with it."""
    lines, _ = scan_lines(body)
    for line in lines:
        if line.level and line.title:
            before = body[: line.start].strip()
            if not before:
                return line.title, body[line.start + len(line.raw) :]
            return line.title, body
    return "", body
