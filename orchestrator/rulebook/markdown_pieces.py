"""Parse a rulebook file in pieces, so that a change costs one piece and not the whole file.

A piece begins with a heading or a comment, which end every block before them unless a fence or
HTML is open there. A rule in the form that we write is read line by line; all else by markdown-it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.platform.bom import BOM

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

_SECTION_LEVEL: Final = 2
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SPACE: Final = " \t\r\v\f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000" + BOM
"""The characters that JavaScript takes for white space, without the ends of lines."""
FRONT_MATTER: Final = re.compile(rf"\A---[{_SPACE}]*\n(.*?)---[{_SPACE}\n]*", re.DOTALL)
_RULE_COMMENT: Final = re.compile(r"\s*<!--\s*rule\s+([\w-]+)")
_FIELD: Final = re.compile(r"\*\*(rule|when|why|source)(?::\*\*|\*\*\s*:)(.*)", re.I | re.S)
_PIECE_START: Final = re.compile(r"#{1,6}(?=[ \t\r\n]|\Z)|<!--")
"""The start of a line that ends every block before it, unless a fence or HTML is open."""
_PROBE: Final = "# probe\n"
_EOL: Final = r"(?:\r?\n|\Z)"
_PLAIN_RULE: Final = re.compile(
    rf"<!-- rule [\w-]+(?:: [^\r\n\0]*)? -->{_EOL}"
    rf"(?:- \*\*(?:Rule|When|Why)\*\*:[^\r\n\0]*{_EOL}(?:  - \*\*Source\*\*:[^\r\n\0]*{_EOL})?)+"
    r"(?:\r?\n)*\Z"
)
"""A rule as we write it: each line is what it looks like, whatever its text says."""
_PLAIN_HEADING: Final = re.compile(r"(#{1,6})[ \t]+([^#\r\n\0]*)(?:\r?\n)?")
_PLAIN_LINE: Final = re.compile(
    r"(?: *(?:(?:[-*+]|\d{1,9}[.)]) +)*(?:[A-Za-z(\[\"']|`(?!`))[^\r\n\0]*|[ \t]*)(?:\r?\n)?"
)
"""A line of prose or of a list that begins with a word: it opens nothing, and is no field."""


@dataclass(frozen=True)
class Bullet:
    """One `**Name**: text` bullet.

    Its list item begins on line `item`; its text takes the lines from `start` up to `end`.
    """

    name: str
    text: str
    item: int
    start: int
    end: int


@dataclass(frozen=True)
class Comment:
    """One `<!-- rule ID ... -->`, and the lines it takes."""

    id: str
    start: int
    end: int


@dataclass(frozen=True)
class Piece:
    """The headings and marks in some lines of a file, counted from the first of them."""

    headings: tuple[tuple[int, int, str], ...] = ()
    """Headings of level 1 and 2: the line of each, the line after it, and its title."""
    marks: tuple[Bullet | Comment, ...] = ()
    closer: str = ""
    """The text that closes its last block, if it is open."""
    open: bool = False
    """Whether what comes after it may be part of its last block."""
    empty: bool = False

    def shift_lines(self, by: int) -> "Piece":
        """Return the same so many lines further down."""
        headings = tuple((start + by, end + by, title) for start, end, title in self.headings)
        marks = tuple(
            Comment(mark.id, mark.start + by, mark.end + by)
            if isinstance(mark, Comment)
            else Bullet(mark.name, mark.text, mark.item + by, mark.start + by, mark.end + by)
            for mark in self.marks
        )
        return replace(self, headings=headings, marks=marks)


def split_lines(text: str) -> tuple[str, ...]:
    """Split a text as CommonMark does, the lines with their endings."""
    return tuple(_LINE.findall(text))


def blank_front_matter(text: str) -> str:
    """Return a text with empty lines for its front matter, which Claude Code does not send."""
    found = FRONT_MATTER.match(text)
    if not found:
        return text
    # A space for what stood in a line, or a lone \r before it would end up beside its \n.
    return re.sub(r"[^\r\n]+", " ", found[0]) + text[found.end() :]


def fold_title(text: str) -> str:
    """Return a title, or what may have it within, with its spaces and capitals made equal."""
    return " ".join(text.split()).casefold()


def iter_pieces(lines: Sequence[str]) -> Iterator[Piece]:
    """Read a file in pieces; once one is open at its end, all that follows is read with it."""
    begins = [number for number, line in enumerate(lines) if number and _PIECE_START.match(line)]
    for start, end in pairwise([0, *begins, len(lines)]):
        piece = _read_piece_at(start, "".join(lines[start:end]))
        if piece.open and end < len(lines):
            yield _read_piece_at(start, "".join(lines[start:]))
            return
        yield piece


@lru_cache(maxsize=4096)  # most of a file is as it was, and where it was, before an edit
def _read_piece_at(line: int, text: str) -> Piece:
    """Read one piece that begins on this line."""
    if _PLAIN_RULE.match(text):
        piece = _read_plain_rule(text)
    else:
        piece = _read_plain_prose(text) or read_markdown(text)
    return piece.shift_lines(line) if line else piece


def _read_plain_rule(text: str) -> Piece:
    """Read a rule in the form that we write."""
    comment, *lines = text.split("\n")
    marks: list[Bullet | Comment] = []
    if begun := _RULE_COMMENT.match(comment):
        marks.append(Comment(begun[1], 0, 1))
    for at, line in enumerate(lines, 1):
        if bullet := _FIELD.match(line.lstrip(" -")):
            value = " ".join(bullet[2].split())
            marks.append(Bullet(bullet[1].capitalize(), value, at, at, at + 1))
    return Piece(marks=tuple(marks))


def _read_plain_prose(text: str) -> Piece | None:
    """Read headings and simple prose, which importing markdown-it would take longer than."""
    headings = []
    lines = split_lines(text)
    for at, line in enumerate(lines):
        if heading := _PLAIN_HEADING.fullmatch(line):
            if len(heading[1]) <= _SECTION_LEVEL:
                headings.append((at, at + 1, fold_title(heading[2])))
        elif not _PLAIN_LINE.fullmatch(line):
            return None
    return Piece(tuple(headings), empty=not any(map(str.strip, lines)))


@lru_cache(maxsize=1024)
def read_markdown(text: str) -> Piece:
    """Read any text with markdown-it.

    A heading is added after the text: a block that is open at the end swallows it.
    """
    ended = text if not text or text.endswith(("\r", "\n")) else f"{text}\n"
    tokens = _build_parser().parse(ended + _PROBE)
    heading = tokens[-3:][0]  # with its text and its end
    found = heading.type == "heading_open" and not heading.level
    is_open = not found or _get_span(heading)[0] != len(split_lines(text))
    tokens = _build_parser().parse(text) if is_open else tokens[:-3]
    return Piece(
        tuple(_iter_headings(tokens)),
        tuple(_iter_marks(tokens)),
        _find_closer(tokens),
        is_open,
        not tokens,
    )


@lru_cache(maxsize=1)
def _build_parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Only the blocks matter: what stands inside a line is kept as it was written.
    return MarkdownIt("commonmark").disable(["inline", "text_join"])


def _get_span(token: "Token") -> tuple[int, int]:
    start, end = token.map or (0, 0)
    return start, end


def _iter_headings(tokens: Sequence["Token"]) -> Iterator[tuple[int, int, str]]:
    """Find the headings that begin or end a section: not in a list or quote, of level 1 or 2."""
    for token, title in pairwise(tokens):
        if token.type != "heading_open" or token.level or int(token.tag[1]) > _SECTION_LEVEL:
            continue
        yield *_get_span(token), fold_title(title.content)


def _iter_marks(tokens: Sequence["Token"]) -> Iterator[Bullet | Comment]:
    """Yield all rule comments and all field bullets, in the order of the file."""
    quotes = 0
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if quotes:
            continue
        if token.type == "html_block" and (comment := _RULE_COMMENT.match(token.content)):
            yield Comment(comment[1], *_get_span(token))
        if before is None or before.type != "list_item_open" or after is None:
            continue
        if token.type == "paragraph_open" and (bullet := _FIELD.match(after.content)):
            text = " ".join(bullet[2].split())
            yield Bullet(bullet[1].capitalize(), text, _get_span(before)[0], *_get_span(token))


def _find_closer(tokens: Sequence["Token"]) -> str:
    """Return the text that closes the last block of the file, if it is open."""
    last = next((token for token in reversed(tokens) if not token.level), None)
    if last is None or last.type not in ("fence", "html_block"):
        return ""
    if last.type == "fence":
        return last.markup
    for start, end in (("<!--", "-->"), ("<?", "?>"), ("<![CDATA[", "]]>"), ("<!", ">")):
        if last.content.lstrip().startswith(start):
            return end
    tag = re.match(r"\s*<(\w+)", last.content)
    return f"</{tag[1]}>" if tag else ""
