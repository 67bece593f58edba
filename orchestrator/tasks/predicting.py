"""Ask a model which files tasks will change: the question, and what of its answer can be used.

It sees the texts of the tasks and the names of the project's files, both as data, and can do
nothing but answer. A wrong answer costs time, or a conflict that the merge queue finds.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator.masking.visible_text import flatten_text, show_hidden
from orchestrator.tasks.models import TaskItem
from orchestrator.workspace.git import Git
from teacher.answer import strip_code_fence
from teacher.prompt import (
    UNTRUSTED_DATA_NOTICE,
    Request,
    fence_text,
    find_unused_mark,
    replace_surrogates,
)

MOST_TASKS: Final = 100
"""Tasks of one question."""
MOST_ANSWER_TOKENS: Final = 16_000
_MOST_TASK: Final = 800
"""Characters of a task that are shown."""
_MOST_LISTING: Final = 80_000
"""Characters of the list of the project's files."""
_MOST_FILES: Final = 30
"""Files of a task; a model that names more knows nothing."""
_LONGEST_PATH: Final = 300

PREDICTION_SCHEMA: Final[Mapping[str, object]] = {
    "type": "object",
    "properties": {
        "tasks": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "id": {"type": "string", "description": "The id of the task, as given."},
                    "files": {
                        "type": "array",
                        "items": {"type": "string"},
                        "description": "Paths from the project's folder; empty if not known.",
                    },
                },
                "required": ["id", "files"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["tasks"],
    "additionalProperties": False,
}

_SYSTEM: Final = """\
You predict which files of a project each task of a list will change, so that tasks which change
the same files are not worked on at the same time. You see the tasks and the names of the project's
files, and nothing else. You do not work on the tasks.

For each task, name the files that whoever works on it will most likely edit, create or delete:
sources, tests, documentation, and lock files or changelogs where the task calls for them. Use paths
as they are listed. A new file may be named if its folder is listed. A folder, with a slash at the
end, stands for all that is in it; use one only if any file in it may change. Leave the files empty
where the text does not say enough: a wrong guess is worse than none.
"""
_QUESTION: Final = "Which files will each of these tasks change? Answer for every id."


def list_project_files(project: Path) -> tuple[str, ...]:
    """Return the paths of a project's files that git does not ignore, from its folder.

    Raises:
        InfrastructureError: git cannot list them.
    """
    options = ("-z", "--cached", "--others", "--exclude-standard")
    listed = Git(project).read_output("ls-files", *options).split(b"\0")
    return tuple(dict.fromkeys(os.fsdecode(each) for each in listed if each))


def build_prediction_request(
    items: Sequence[TaskItem], files: Sequence[str], mask: Callable[[str], str]
) -> Request:
    """Return the question which files tasks will change.

    Args:
        items: the tasks, at most `MOST_TASKS`.
        files: the project's files.
        mask: removes secrets from a text.
    """
    tasks = "\n\n".join(_describe_task(each, mask) for each in items)
    parts = {"tasks": tasks, "files": mask(_format_listing(files))}
    parts = {name: replace_surrogates(show_hidden(text)) for name, text in parts.items()}
    mark = find_unused_mark("\n".join(parts.values()))
    fenced = [fence_text(name, text, mark) for name, text in parts.items()]
    return Request(_SYSTEM, "\n\n".join([UNTRUSTED_DATA_NOTICE, *fenced, _QUESTION]))


def read_prediction(
    text: str, items: Sequence[TaskItem], files: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the files of each task that the model's answer names, by the ids of tasks.

    Paths that are neither in the project nor new files in one of its folders are dropped, and tasks
    without any other.

    Args:
        text: the answer.
        items: the tasks that were asked about.
        files: the project's files.

    Raises:
        ValueError: it is no answer to the question.
    """
    try:
        answer = json.loads(strip_code_fence(text))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    tasks = answer.get("tasks") if isinstance(answer, dict) else None
    if not isinstance(tasks, list):
        raise ValueError("it has no tasks")
    known, folders = frozenset(files), _find_folders(files)
    asked = {each.id for each in items}
    found = {}
    for each in tasks:
        match each:
            case {"id": str(identity), "files": [*names]} if identity in asked:
                paths = [_clean_path(name) for name in names if isinstance(name, str)]
                usable = [path for path in paths if _is_usable(path, known, folders)]
                if usable and len(usable) <= _MOST_FILES:
                    found[identity] = tuple(dict.fromkeys(usable))
    return found


def _describe_task(item: TaskItem, mask: Callable[[str], str]) -> str:
    title, text = flatten_text(mask(item.title)), mask(item.text).strip()
    text = text if len(text) <= _MOST_TASK else f"{text[:_MOST_TASK]} ..."
    return f"[id {item.id}]\n{title[:_MOST_TASK]}" + (f"\n{text}" if text != title else "")


def _format_listing(files: Sequence[str]) -> str:
    """Return the files, one on a line; those of deep folders are counted where there are many."""
    names = [each for each in files if each.isprintable()]
    depth = max((each.count("/") for each in names), default=0)
    while True:
        lines = _list_to_depth(names, depth)
        if sum(map(len, lines)) + len(lines) <= _MOST_LISTING or depth == 0:
            break
        depth -= 1
    text = "\n".join(lines)
    if len(text) <= _MOST_LISTING:
        return text
    return text[:_MOST_LISTING].rpartition("\n")[0] + "\n(more files are not listed)"


def _list_to_depth(names: Sequence[str], depth: int) -> list[str]:
    """Return names down to a depth, and for what is deeper the folder with the number of files."""
    counts = Counter(
        "/".join(parts[: depth + 1]) + "/" if len(parts := each.split("/")) > depth + 1 else each
        for each in names
    )
    return [
        f"{each} ({count:,} files)" if each.endswith("/") else each
        for each, count in counts.items()
    ]


def _find_folders(files: Sequence[str]) -> frozenset[str]:
    """Return the folders that files are in, each with a slash at the end; empty for the top."""
    folders = {""}
    for each in files:
        folder = each
        while (folder := folder.rpartition("/")[0]) and f"{folder}/" not in folders:
            folders.add(f"{folder}/")
    return frozenset(folders)


def _clean_path(name: str) -> str:
    return name.strip().replace("\\", "/").removeprefix("./")


def _is_usable(path: str, known: frozenset[str], folders: frozenset[str]) -> bool:
    """Return whether a path is in the project, or that of a new file in one of its folders."""
    if not path or len(path) > _LONGEST_PATH or not path.isprintable() or path == ".":
        return False
    if path in known or f"{path}/" in folders:
        return True
    folder, _, name = path.rpartition("/")
    is_name = name not in ("", ".", "..") and not set(name) & set('*?<>|":')
    return path in folders or (is_name and (f"{folder}/" if folder else "") in folders)
