"""Read the front matter of a task's own file, and change one line of it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from yaml import Node

STATUS: Final = "status"
DONE: Final = "done"
_MATTER: Final = re.compile(
    r"(?P<begin>---[ \t]*(?:\r\n|\n))(?P<yaml>(?:(?!(?:---|\.\.\.)[ \t]*(?:\r|\n|\Z)).*(?:\n|\Z))*)"
    r"(?P<end>(?:---|\.\.\.)[ \t]*(?:\r?\n|\Z))"
)
_LONGEST: Final = 64_000


@dataclass(frozen=True)
class FrontMatter:
    """The front matter of a text; without any, all places are 0."""

    fields: Mapping[str, Any]
    start: int = 0
    """Where its YAML begins."""
    end: int = 0
    """Where its YAML ends."""
    body: int = 0
    """Where the text after it begins."""
    spans: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """Where values are that take a part of one line, by their keys."""


def read_front_matter(text: str, name: str) -> FrontMatter:
    """Return the front matter of a text.

    Raises:
        UsageError: it is no valid YAML, or no mapping.
    """
    found = _MATTER.match(text)
    if not found:
        return FrontMatter({})
    from orchestrator.config.yaml_text import YamlError, parse_yaml

    source = found["yaml"]
    try:
        if len(source) > _LONGEST:
            raise YamlError(f"it has more than {_LONGEST} characters")
        root, fields = parse_yaml(source)
    except (YamlError, RecursionError) as error:
        problem = str(getattr(error, "problem", None) or error).splitlines()[0]
        mark = getattr(error, "problem_mark", None)
        line = 2 + (mark.line if mark else 0)
        raise UsageError(
            f"{name}:{line}: the front matter is not valid YAML: {problem}", "correct it"
        ) from None
    if fields is None:
        fields = {}
    if not isinstance(fields, dict):
        raise UsageError(f"{name}:2: the front matter has no keys", "write `key: value` lines")
    start = found.end("begin")
    spans = _find_spans(root, source, start)
    return FrontMatter(
        {str(key): value for key, value in fields.items()},
        start,
        found.start("end"),
        found.end(),
        spans,
    )


def set_done(text: str, matter: FrontMatter) -> str:
    """Return a text whose front matter says that the task is done.

    One line of it changes, or is added at its end; a text without front matter gets three lines.
    What is added is `done: true`; but `status: done` where `done` names a command.
    """
    for key, value in ((STATUS, DONE), (DONE, "true")):
        is_status = key == STATUS or isinstance(matter.fields.get(key), bool)
        if key in matter.spans and is_status:
            start, end = matter.spans[key]
            is_glued = start == end and not text[start - 1].isspace()  # as in `status:`
            return f"{text[:start]}{' ' if is_glued else ''}{value}{text[end:]}"
    added = f"{STATUS}: {DONE}" if DONE in matter.fields else f"{DONE}: true"
    if matter.body and STATUS not in matter.fields:
        newline = "\r\n" if text[: matter.start].endswith("\r\n") else "\n"
        return f"{text[: matter.end]}{added}{newline}{text[matter.end :]}"
    if matter.body:
        raise ValueError("its status takes several lines")
    newline = "\r\n" if "\r\n" in text else "\n"
    return f"---{newline}{added}{newline}---{newline}{text}"


def _find_spans(root: "Node | None", source: str, start: int) -> Mapping[str, tuple[int, int]]:
    spans = {}
    for key, value in getattr(root, "value", None) or ():
        first, last = value.start_mark.index, value.end_mark.index
        if isinstance(value.value, str) and "\n" not in source[first:last]:
            spans[str(key.value)] = (start + first, start + last)
    return spans
