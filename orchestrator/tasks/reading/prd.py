"""Read the user stories of a `prd.json` in the form of snarktank's Ralph, and find their ticks.

    {"userStories": [{"id": "US-001", "title": "...", "description": "...",
                      "acceptanceCriteria": ["..."], "priority": 1, "passes": false, "notes": ""}]}

We also read `dependsOn` (or `depends`, `dependencies`), `files`, `tests` or `done` (a command),
`hold`, `parallel` and `noChange`. In this form priorities number the stories: if one is above 9,
only their order counts, and the stories of the list get it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.tasks.models import DEFAULT_PRIORITY, TaskItem
from orchestrator.tasks.reading.item_text import clean_text, clean_title, require_bounded_text
from orchestrator.tasks.reading.json_spans import iter_spans
from orchestrator.tasks.reading.mark_values import (
    MarkError,
    normalize_globs,
    parse_ids,
    parse_priority,
    require_plain_command,
)
from teacher.prompt import replace_surrogates

_STORIES: Final = "userStories"
_LEAST_URGENT: Final = 9
_FORM: Final = 'write {"userStories": [{"id": "US-001", "title": "...", "passes": false}]}'


@dataclass(frozen=True)
class Story:
    """A task with its place in the document."""

    item: TaskItem
    at: int
    """The number of its user story, from 0."""


def read_prd(text: str, name: str, *, commands: bool = True) -> tuple[TaskItem, ...]:
    """Return the user stories of a document as tasks; the errors of `read_stories`."""
    return tuple(each.item for each in read_stories(text, name, commands=commands))


def read_stories(text: str, name: str, *, commands: bool = True) -> tuple[Story, ...]:
    """Return the user stories of a document, in the order in which they are done.

    Args:
        text: JSON.
        name: the file, for errors.
        commands: whether its author may name commands, and work without a change.

    Raises:
        UsageError: it has not the form, or no story.
    """
    document = _parse_json(text, name)
    stories = document.get(_STORIES) if isinstance(document, dict) else None
    if not isinstance(stories, list) or not stories:
        raise UsageError(f"{name} has no list `{_STORIES}` with a story in it", _FORM)
    lines = _find_lines(text)
    about = document.get("description")
    found = list[tuple[int, TaskItem]]()
    for at, story in enumerate(stories):
        where = f"{name}:{lines.get(at, 1)}"
        try:
            item = _build_item(story, at, about if isinstance(about, str) else "", commands)
        except MarkError as error:
            raise UsageError(f"{where}: story {at + 1}: {error.message}", error.hint) from None
        require_bounded_text(item.text, where)
        found.append((_read_order(story), replace(item, line=lines.get(at, 0))))
    return _put_in_order(found)


def find_pass(text: str, at: int) -> tuple[int, int]:
    """Return where the value of `passes` of the story with this number is, from 0."""
    wanted = (_STORIES, at, "passes")
    return [(start, end) for path, start, end in iter_spans(text, 3) if path == wanted][-1]


def _parse_json(text: str, name: str) -> Any:  # noqa: ANN401 -- JSON
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"{name}:{error.lineno}: is not JSON: {error.msg}", _FORM) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} cannot be read as JSON: {error}", _FORM) from None


def _find_lines(text: str) -> dict[int, int]:
    """Return the line in which each story begins."""
    lines, line, seen = dict[int, int](), 1, 0
    spans = (span for span in iter_spans(text, 2) if len(span[0]) == 2 and span[0][0] == _STORIES)
    for path, start, _ in spans:
        if start >= seen and isinstance(path[1], int):
            line, seen = line + text.count("\n", seen, start), start
            lines[path[1]] = line
    return lines


def _build_item(story: Any, at: int, about: str, commands: bool) -> TaskItem:  # noqa: ANN401 -- JSON
    if not isinstance(story, dict):
        raise MarkError("is no object", _FORM)
    identity, title = _read_text(story, "id"), _read_text(story, "title")
    if not identity or len(identity) > 100 or not identity.isprintable():
        raise MarkError("has no usable `id`", _FORM)
    if not title:
        raise MarkError(f"{identity} has no `title`", _FORM)
    if "passes" not in story:
        raise MarkError(f"{identity} has no `passes`", _FORM)
    if not isinstance(story["passes"], bool):
        raise MarkError(f"`passes` of {identity} is neither true nor false", _FORM)
    reads_check = commands and not story["passes"]
    check = (_read_text(story, "tests") or _read_text(story, "done")) if reads_check else ""
    files = story.get("files")
    return TaskItem(
        id=identity,
        title=clean_title(title),
        text=_build_text(identity, title, story, about),
        position=at,
        done=story["passes"],
        depends=_read_ids(story),
        priority=parse_priority(story.get("priority")) or DEFAULT_PRIORITY,
        parallel=story.get("parallel") is True,
        files=normalize_globs(_read_list(files)) if isinstance(files, list) else None,
        check=require_plain_command(check) if check else "",
        hold=clean_title(_read_text(story, "hold")),
        no_change=commands and story.get("noChange") is True,
    )


def _read_text(story: Mapping[str, object], key: str) -> str:
    value = story.get(key)
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    # Escapes can name a half of a character, which no file can store.
    return replace_surrogates(value).strip() if isinstance(value, str) else ""


def _read_list(value: object) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [
        replace_surrogates(str(each)).strip()
        for each in values
        if isinstance(each, str | int) and not isinstance(each, bool) and str(each).strip()
    ]


def _read_ids(story: Mapping[str, object]) -> tuple[str, ...]:
    for key in ("dependsOn", "depends", "dependencies"):
        value = story.get(key)
        if isinstance(value, str):
            return parse_ids(value, sure=True) or ()
        if isinstance(value, list):
            return tuple(dict.fromkeys(_read_list(value)))
    return ()


def _build_text(identity: str, title: str, story: Mapping[str, object], about: str) -> str:
    parts = [f"{identity} {title}", _read_text(story, "description")]
    criteria = _read_list(story.get("acceptanceCriteria", []))
    if criteria:
        parts.append("\n".join(["Acceptance criteria:", *(f"- {each}" for each in criteria)]))
    if notes := _read_text(story, "notes"):
        parts.append(f"Notes: {notes}")
    if about.strip():
        parts.append(f"It is a part of: {replace_surrogates(about).strip()}")
    return clean_text("\n\n".join(part for part in parts if part))


def _read_order(story: Mapping[str, object]) -> int:
    value = story.get("priority")
    return value if isinstance(value, int) and not isinstance(value, bool) else DEFAULT_PRIORITY


def _put_in_order(found: Sequence[tuple[int, TaskItem]]) -> tuple[Story, ...]:
    items = [item for _, item in found]
    if any(order > _LEAST_URGENT for order, _ in found):
        in_order = sorted(found, key=lambda each: each[0])
        items = [replace(item, priority=DEFAULT_PRIORITY) for _, item in in_order]
    return tuple(Story(replace(each, position=at), each.position) for at, each in enumerate(items))
