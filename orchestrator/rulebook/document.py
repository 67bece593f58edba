"""Parse a rulebook file: its managed section, and the rules in it.

CommonMark, by markdown-it, decides what is a heading, a list, a comment or a fence. Positions are
lines of the file, for `editing`. Nothing here reads or writes a file.

    ## Learned Rules & Patterns

    <!-- rule r-3f2a9c: failure 9f8e7d6c5b4a, source pytest -->
    - **Rule**: ...
    - **When**: ...
    - **Why**: ...
      - **Source**: Learned on 2026-11-20 from test failure

Claude Code removes such a comment before it sends the file. A rule without a comment of its own was
written by hand: it is not active until a person adopts it, and no edit touches it.
"""

import posixpath
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RulebookError
from orchestrator.models import Rule
from orchestrator.platform.bom import BOM, is_utf16, split_bom
from orchestrator.rulebook.markdown_pieces import (
    FRONT_MATTER,
    Bullet,
    Comment,
    Piece,
    blank_front_matter,
    fold_title,
    iter_pieces,
    split_lines,
)
from orchestrator.rulebook.text import derive_rule_id
from teacher.models import RuleText

if TYPE_CHECKING:
    from markdown_it import MarkdownIt

HEADING: Final = "## Learned Rules & Patterns"

_TITLE: Final = HEADING.removeprefix("## ").casefold()
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_NON_SPACE: Final = re.compile(r"\S")
_IMPORT: Final = re.compile(r"(?:^|\s)@([^\s\\#]+)")


@dataclass(frozen=True)
class RuleLocation:
    """The lines of a rule in its file."""

    comment: Comment | None
    bullets: tuple[Bullet, ...]

    def find_bullet(self, name: str) -> Bullet | None:
        """Return the bullet with this name."""
        return next((bullet for bullet in self.bullets if bullet.name == name), None)


@dataclass(frozen=True)
class Document:
    """A rulebook file after parsing.

    `rules` are all active rules in the order of the file, each with the id in its comment.
    """

    rules: tuple[Rule, ...]
    hand_written: tuple[Rule, ...] = field(repr=False)
    """The rules without a comment of their own, each with an id that is derived from its text."""
    ids: frozenset[str] = field(repr=False)
    """Every id that is taken, also by a comment whose rule is gone."""
    bom: str = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    """The file's lines with their endings, bytes that are not UTF-8 as surrogates."""
    section: tuple[int, int] | None = field(repr=False)
    """The lines of the (first) managed section, after its heading."""
    locations: Mapping[str, RuleLocation] = field(repr=False)
    """The location of each rule, hand-written or not, by its id."""
    closer: str = field(repr=False)
    """The text that closes the last block of the file, if it is open."""

    @cached_property
    def _positions_by_id(self) -> Mapping[str, int]:
        """The place of each rule in `rules`, by its id."""
        return {rule.id: number for number, rule in enumerate(self.rules)}

    def find_location(self, rule: str) -> RuleLocation:
        """Return the location of a rule. Raises KeyError when there is no such rule."""
        return self.locations[rule]

    def get_comment(self, rule: str) -> str:
        """Return the comment of a rule, with its marks; empty if there is none."""
        comment = self.find_location(rule).comment
        return "".join(self.lines[comment.start : comment.end]) if comment else ""

    def find_rule(self, rule: str) -> Rule | None:
        """Return the rule with this id."""
        number = self._positions_by_id.get(rule)
        return None if number is None else self.rules[number]


@lru_cache(maxsize=16)  # a few files are read for the teacher, for the edit, and to check it
def parse_document(data: bytes) -> Document:
    """Parse a rulebook file. Any content is accepted; rules that can be recognized are returned.

    Takes up to 7 s for a file of 1 MB, and 30 ms for one of 10 kB; a rule in our own form, or a
    piece that was read before, takes some 10 microseconds.

    Raises:
        RulebookError: the file is UTF-16, to which no UTF-8 text can be added.
    """
    if is_utf16(data):
        raise RulebookError("the file is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    bom, text = split_bom(text)
    lines, masked = split_lines(text), blank_front_matter(text)
    pieces = tuple(iter_pieces(lines if masked == text else split_lines(masked)))
    return build_document(bom, lines, pieces)


def build_document(bom: str, lines: tuple[str, ...], pieces: Sequence[Piece]) -> Document:
    """Return the document whose lines hold these pieces."""
    sections = tuple(_iter_sections(pieces, len(lines)))
    found = [mark for piece in pieces for mark in piece.marks]
    starts = [mark.start for mark in found]
    marks = [
        found[bisect_left(starts, start) : bisect_left(starts, end)] for start, end in sections
    ]
    comments = frozenset(mark.id for part in marks for mark in part if isinstance(mark, Comment))
    places = tuple(location for part in marks for location in _iter_locations(part))
    located = _identify_rules(places, comments)
    adopted = {
        rule.id for rule, location in located if location.comment and location.comment.id == rule.id
    }
    return Document(
        rules=tuple(rule for rule, _ in located if rule.id in adopted),
        hand_written=tuple(rule for rule, _ in located if rule.id not in adopted),
        ids=comments | {rule.id for rule, _ in located},
        bom=bom,
        lines=lines,
        section=sections[0] if sections else None,
        locations={rule.id: location for rule, location in located},
        closer=next((piece.closer for piece in reversed(pieces) if not piece.empty), ""),
    )


def build_unclosed_error(what: str) -> RulebookError:
    """Return the error for a file whose last block is open and would swallow what is added."""
    return RulebookError(
        f"the file cannot take {what}: a block is not closed",
        "end the front matter, or the code fence, comment or HTML tag at its end, that is open",
    )


@lru_cache(maxsize=16)
def contains_rules(data: bytes) -> bool:
    """Return whether a file may have a managed section: a quick look, as parsing is slow."""
    if HEADING.encode() in data:
        return True
    encoding = "utf-16" if is_utf16(data) else "utf-8"
    return _TITLE in fold_title(data.decode(encoding, "replace"))


def find_front_matter(data: bytes) -> str | None:
    """Return the YAML at the beginning of a file, as Claude Code (2.1.329) finds it.

    It ends with the first `---`, even within a line; Claude Code sends the rest.
    """
    found = FRONT_MATTER.match(_decode_text(data))
    return found[1] if found else None


def has_content(data: bytes) -> bool:
    """Return whether a file has content for Claude Code beside comments and front matter."""
    text = _decode_text(data)
    front = FRONT_MATTER.match(text)
    at = front.end() if front else 0
    # To the first character that counts, and no further: a rulebook may be long.
    while shown := _NON_SPACE.search(text, at):
        comment = _COMMENT.match(text, shown.start())
        if not comment:
            return True
        at = comment.end()
    return False


@lru_cache(maxsize=16)
def find_imports(data: bytes) -> frozenset[str]:
    """Return the paths that a file imports with `@path`, relative to its folder.

    As Claude Code (2.1.329) finds them: not in front matter, code, comments or HTML blocks. In a
    list it looks into code spans and inline comments too.
    """
    if b"@" not in data:
        return frozenset()
    found: list[str] = []
    lists = 0
    for token in _build_inline_parser().parse(blank_front_matter(_decode_text(data))):
        if token.type.endswith(("_list_open", "_list_close")):
            lists += token.nesting
        if token.type == "html_block" and token.content.lstrip().startswith("<!--"):
            found += _IMPORT.findall(_COMMENT.sub("", token.content))
        elif token.type == "inline" and lists:
            found += _IMPORT.findall(token.content)
        elif token.type == "inline":
            for part in token.children or ():
                found += _IMPORT.findall(part.content) if part.type == "text" else ()
    return frozenset(map(posixpath.normpath, found))


def _decode_text(data: bytes) -> str:
    return data.decode("utf-8", "replace").removeprefix(BOM)


@lru_cache(maxsize=1)
def _build_inline_parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Unjoined, so that an escaped @ can be distinguished from a plain one.
    return MarkdownIt("commonmark").disable("text_join")


def _iter_sections(pieces: Sequence[Piece], lines: int) -> Iterator[tuple[int, int]]:
    """Yield the lines of each managed section, up to the next heading of level 1 or 2."""
    begun: int | None = None
    for start, end, title in (heading for piece in pieces for heading in piece.headings):
        if begun is not None:
            yield begun, start
        begun = end if title == _TITLE else None
    if begun is not None:
        yield begun, lines


def _iter_locations(marks: Iterable[Bullet | Comment]) -> Iterator[RuleLocation]:
    comment: Comment | None = None
    bullets: list[Bullet] = []
    for mark in marks:
        if bullets and (isinstance(mark, Comment) or mark.name == "Rule"):
            yield RuleLocation(comment, tuple(bullets))
            comment, bullets = None, []
        if isinstance(mark, Comment):
            comment = mark
        elif mark.name == "Rule" or (bullets and all(mark.name != b.name for b in bullets)):
            bullets.append(mark)
    if bullets:
        yield RuleLocation(comment, tuple(bullets))


def _identify_rules(
    locations: Sequence[RuleLocation], comments: frozenset[str]
) -> Sequence[tuple[Rule, RuleLocation]]:
    """Return the rule at each location, with an id that no other has."""
    rules: list[tuple[Rule, RuleLocation]] = []
    taken, used = set(comments), set[str]()
    for location in locations:
        said = {bullet.name: bullet.text for bullet in location.bullets}
        text = RuleText(said["Rule"], said.get("When", ""), said.get("Why", ""))
        if location.comment and location.comment.id not in used:
            key = location.comment.id
        else:
            key = find_free_id(text, taken)
        taken.add(key)
        used.add(key)
        rules.append((Rule(key, text, said.get("Source", "")), location))
    return rules


def find_free_id(text: RuleText, taken: AbstractSet[str]) -> str:
    """Return the id derived from the text, or the next one that is not taken."""
    nth = 0
    while (key := derive_rule_id(text, nth)) in taken:
        nth += 1
    return key
