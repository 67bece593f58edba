"""Find the boxes of a Markdown text, with their ids, their details and what they stand below."""

import re
import textwrap
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.tasks.models import TaskItem
from orchestrator.tasks.reading.lines import Line, OpenEnd, measure_indent, scan_lines

_BOX: Final = re.compile(r"([ \t]*)[-*+][ \t]+\[([ xX])\][ \t]+(?=\S)")
_ALMOST: Final = re.compile(r"\s*(?:(?:[-*+]|\d{1,9}[.)])\s*)?\[[ xX]?\]\s*\S")
_BULLET: Final = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]|[>|#]")
_PLAIN_ID: Final = (
    r"T\d{1,6}[a-z]?|(?:T|US|FR|NFR|TASK|BUG|FIX|FEAT|ISSUE|STORY)[-_]\d{1,6}|#\d{1,9}"
)
_ANY_ID: Final = rf"(?:{_PLAIN_ID}|(?!US\d|P\d(?!\d))[A-Z][A-Z0-9]{{0,9}}[-_]?\d{{1,6}}[a-z]?)"
_IN_BRACKETS: Final = rf"(?:{_ANY_ID}|[a-z]{{1,12}}-(?=[a-z0-9]*\d)[a-z0-9]{{1,12}})"
_WRITTEN_ID: Final = re.compile(
    rf"(?:\*\*\[?({_ANY_ID})\]?[:.]?\*\*|`({_ANY_ID})`|\[({_IN_BRACKETS})\](?!\()|({_ANY_ID})(?=:)"
    rf"|({_PLAIN_ID})(?=[\s.)]|$))"
    r"[:.)]?(?:[ \t]+[-—\u2013](?=[ \t]))?[ \t]*"
)
_MOST_DEPTH: Final = 50


@dataclass
class Box:
    """A box of a list. Changed only while its list is read."""

    line: int
    """Number of its line, from 1."""
    mark: int
    """The place of the character in the box, in the text."""
    indent: int
    done: bool
    written: str
    """The line after the box, as a person wrote it, without comments."""
    id: str
    """The id at its beginning; empty if it has none."""
    body: str
    """What follows the id."""
    parent: int | None
    """The place of the box that it is below, in the list of boxes."""
    headings: tuple[tuple[int, str], ...]
    """The headings that it is under, from the top: the line and title of each."""
    lines: list[str] = field(default_factory=list)
    """The lines below it that are its own, as they are."""
    prose: list[tuple[int, str]] = field(default_factory=list)
    """Those that are not in a fence, with their numbers."""
    has_boxes: bool = False
    """Whether there are boxes below it, which makes it a heading of them."""

    @cached_property
    def details(self) -> list[str]:
        """The lines below it, without their common indentation and empty ones around them."""
        text = textwrap.dedent("\n".join(self.lines)).strip("\n")
        return text.split("\n") if text.strip() else []


@dataclass(frozen=True)
class BoxFile:
    """The boxes of a text."""

    boxes: tuple[Box, ...]
    almost: int
    """Number of the first line that looks similar to a box and is none; 0 for no such line."""


def find_boxes(text: str, name: str) -> BoxFile:
    """Return the boxes of a text.

    Raises:
        UsageError: a fence or comment that is not closed hides boxes.
    """
    lines, still_open = scan_lines(text)
    if still_open:
        _require_nothing_hidden(lines, still_open, name)
    reader = _BoxReader()
    for line in lines:
        reader.add_line(line)
    return BoxFile(tuple(reader.boxes), reader.almost)


class _BoxReader:
    def __init__(self) -> None:
        self.boxes: list[Box] = []
        self.almost = 0
        self._open: list[int] = []
        """Places of the boxes that the next line may be below."""
        self._headings: list[tuple[int, int, str]] = []
        self._after_blank = False

    def add_line(self, line: Line) -> None:
        if line.is_code:
            self._add_detail(line, line.raw)
            return
        if not line.visible.strip():
            if not line.is_hidden and line.visible == line.raw:
                self._after_blank = True
                if self._open:
                    self.boxes[self._open[-1]].lines.append("")
            return
        if line.level:
            self._add_heading(line)
        elif not line.is_hidden and (found := _find_box(line)):
            self._add_box(line, found)
        else:
            self._note_almost(line)
            self._add_detail(line, line.visible)
        self._after_blank = False

    def _add_heading(self, line: Line) -> None:
        self._open.clear()
        while self._headings and self._headings[-1][1] >= line.level:
            self._headings.pop()
        self._headings.append((line.number, line.level, line.title))

    def _add_box(self, line: Line, found: re.Match[str]) -> None:
        indent = measure_indent(found[1])
        # As in Markdown, what is below an item begins where the text of the item does.
        while self._open and self.boxes[self._open[-1]].indent + 2 > indent:
            self._open.pop()
        parent = self._open[-1] if self._open else None
        if parent is not None:
            self.boxes[parent].has_boxes = True
        written = line.visible[found.end() :].strip()
        identity, body = _split_id(written)
        headings = tuple((number, title) for number, _, title in self._headings)
        mark = line.start + found.start(2)
        done = found[2] != " "
        self.boxes.append(
            Box(line.number, mark, indent, done, written, identity, body, parent, headings)
        )
        if len(self._open) < _MOST_DEPTH:
            self._open.append(len(self.boxes) - 1)

    def _add_detail(self, line: Line, text: str) -> None:
        """Add a line to the box that it is below, or that it continues."""
        if line.is_code and self._open and not line.indent:
            # A fence at the margin ends a list; within a fence, the margin says nothing.
            if text.lstrip().startswith(("```", "~~~")) and self._after_blank:
                self._open.clear()
        elif not line.is_code:
            while self._open and self.boxes[self._open[-1]].indent >= line.indent:
                if not self._after_blank and not _BULLET.match(text.lstrip()):
                    break  # a line that continues the paragraph, not indented
                self._open.pop()
        if self._open:
            box = self.boxes[self._open[-1]]
            box.lines.append(text)
            if not line.is_code:
                box.prose.append((line.number, text))

    def _note_almost(self, line: Line) -> None:
        if not self.almost and not line.is_hidden and _ALMOST.match(line.visible):
            self.almost = line.number


def _find_box(line: Line) -> re.Match[str] | None:
    """Return the box that a line begins with, if there is a text after it."""
    found = _BOX.match(line.raw)
    # A comment before the end of the box would move it.
    if found and line.visible.startswith(found[0]) and line.visible[found.end() :].strip():
        return found
    return None


def _split_id(written: str) -> tuple[str, str]:
    """Return the id that a text begins with, and the rest."""
    found = _WRITTEN_ID.match(written)
    if not found:
        return "", written
    return next(each for each in found.groups() if each), written[found.end() :]


def _require_nothing_hidden(lines: list[Line], still_open: OpenEnd, name: str) -> None:
    for line in lines[still_open.line :]:
        if _BOX.match(line.raw):
            raise UsageError(
                f"{name}:{still_open.line}: the {still_open.what} that begins here is not closed,"
                f" so the task in line {line.number} would not be read",
                "close it",
            )


@dataclass(frozen=True)
class BoxTask:
    """A task with its box."""

    item: TaskItem
    box: Box
    above: tuple[Box, ...]
    """The boxes that it is below, the nearest first."""
