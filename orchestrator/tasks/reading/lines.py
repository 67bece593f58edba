"""Scan the lines of a Markdown text: what is code, hidden, a heading, or a line like any other.

Only what decides whether a box is one: fences, HTML comments, front matter and headings. The time
grows with the length of the text alone.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from orchestrator.rulebook.markdown_pieces import split_lines

_FENCE: Final = re.compile(r"((?:>[ \t]*)*)(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}(?=[^`]*$)|~{3,})")
_HEADING: Final = re.compile(r" {0,3}(#{1,6})(?=[ \t]|\Z)")
_RUN: Final = re.compile("`+")
_UNDERLINE: Final = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_PROSE: Final = re.compile(r" {0,3}(?![-*+>#|`~\s]|\d{1,9}[.)])\S.*")
_MOST_FRONT_MATTER: Final = 200
"""Lines in which front matter ends; else the `---` of the first line is a rule."""
_TAB: Final = 4


@dataclass(frozen=True)
class Line:
    """A line of a text."""

    number: int
    """From 1."""
    start: int
    """The place of its first character in the text."""
    raw: str
    """Without its ending."""
    visible: str
    """Without comments."""
    is_code: bool = False
    """Whether it is in a fence, or begins or ends one."""
    is_hidden: bool = False
    """Whether it begins in a comment, or is front matter."""
    level: int = 0
    """Level of the heading that it is; 0 for none."""
    title: str = ""
    """Title of the heading."""

    @property
    def indent(self) -> int:
        """Columns before its first character."""
        return measure_indent(self.raw)


@dataclass(frozen=True)
class OpenEnd:
    """A fence or comment that is not closed."""

    line: int
    what: str


def scan_lines(text: str) -> tuple[list[Line], OpenEnd | None]:
    """Return the lines of a text, and the fence or comment that is still open at its end."""
    scanner = _Scanner(split_lines(text))
    lines = list(scanner.scan())
    return lines, scanner.open


def measure_indent(raw: str) -> int:
    """Return the columns before the first character of a line; tabs end at every fourth."""
    column = 0
    for character in raw:
        if character == "\t":
            column += _TAB - column % _TAB
        elif character == " ":
            column += 1
        else:
            break
    return column


class _Scanner:
    def __init__(self, lines: tuple[str, ...]) -> None:
        self._lines = lines
        self._fence, self._quoted = "", False
        self._comment = False
        self.open: OpenEnd | None = None

    def scan(self) -> Iterator[Line]:
        matter, start, last = _count_front_matter(self._lines), 0, None
        for number, whole in enumerate(self._lines, 1):
            raw = whole.rstrip("\r\n")
            line = Line(number, start, raw, raw, is_hidden=number <= matter)
            start += len(whole)
            if not line.is_hidden:
                line = self._scan_line(line, last)
            last = line
            yield line

    def _scan_line(self, line: Line, last: Line | None) -> Line:
        raw = line.raw
        if self._fence:
            if self._quoted and not raw.lstrip().startswith(">"):
                self._close()
            else:
                closed = raw.strip(" \t>")
                if closed.startswith(self._fence) and not closed.strip(self._fence[0]):
                    self._close()
                return Line(line.number, line.start, raw, raw, is_code=True)
        hidden = self._comment
        if not hidden and (fence := _FENCE.match(raw.lstrip(" \t"))):
            self._fence, self._quoted = fence[2], bool(fence[1])
            self.open = OpenEnd(line.number, "code block")
            return Line(line.number, line.start, raw, raw, is_code=True)
        visible = self._remove_comments(line)
        level, title = (0, "") if hidden else _find_heading(visible, last)
        return Line(
            line.number, line.start, raw, visible, is_hidden=hidden, level=level, title=title
        )

    def _remove_comments(self, line: Line) -> str:
        raw, at, pieces = line.raw, 0, list[str]()
        while at < len(raw):
            if self._comment:
                end = raw.find("-->", at)
                if end < 0:
                    return "".join(pieces)
                at = end + 3
                self._close()
            start = _find_comment(raw, at)
            if start < 0:
                pieces.append(raw[at:])
                break
            pieces.append(raw[at:start])
            self._comment, self.open = True, OpenEnd(line.number, "comment")
            at = start + 2  # `<!-->` is a whole comment
        return "".join(pieces)

    def _close(self) -> None:
        self._fence, self._comment, self.open = "", False, None


def _count_front_matter(lines: tuple[str, ...]) -> int:
    """Return the number of lines of the front matter, with those that begin and end it."""
    if not lines or lines[0].rstrip() != "---":
        return 0
    for at, line in enumerate(lines[1:_MOST_FRONT_MATTER], 2):
        if line.rstrip() in ("---", "..."):
            return at
    return 0


def _find_comment(raw: str, at: int) -> int:
    """Return where a comment begins that is not in a code span; -1 for nowhere."""
    start = raw.find("<!--", at)
    while start >= 0:
        tick = raw.find("`", at, start)
        if tick < 0:
            return start
        opened = _RUN.match(raw, tick)
        after = opened.end() if opened else tick + 1
        end = _find_run(raw, after, after - tick)
        at = end if end >= 0 else after
        if at > start:
            start = raw.find("<!--", at)
    return -1


def _find_run(raw: str, at: int, length: int) -> int:
    """Return the end of the next run of exactly so many backticks; -1 if there is none."""
    for found in _RUN.finditer(raw, at):
        if len(found[0]) == length:
            return found.end()
    return -1


def _find_heading(visible: str, last: Line | None) -> tuple[int, str]:
    if heading := _HEADING.match(visible):
        title = visible[heading.end() :].strip()
        bare = title.rstrip("#")
        return len(heading[1]), title if bare and bare[-1] not in " \t" else bare.rstrip()
    if last is None or last.is_code or last.is_hidden or last.level:
        return 0, ""
    underline = _UNDERLINE.fullmatch(visible)
    if underline and _PROSE.fullmatch(last.visible):
        return (1 if underline[1][0] == "=" else 2), last.visible.strip()
    return 0, ""
