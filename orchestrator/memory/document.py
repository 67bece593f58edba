"""A rulebook file read: where the managed section is, and which rules stand in it.

What is a heading, a list, a comment or a fence is what CommonMark says, by markdown-it; where they
stand is kept in the file's own lines, for `editing`. Nothing here touches a file.

A file is read in pieces, each of which begins with a heading or a comment, so that a change costs
the reading of one piece and not of the whole file; a rule in the form that we write is read without
markdown-it.

    ## Learned Rules & Patterns

    <!-- rule r-3f2a9c: failure 9f8e7d6c5b4a, source pytest -->
    - **Rule**: ...
    - **When**: ...
    - **Why**: ...
      - **Source**: Learned on 2026-11-20 from test failure

Claude Code strips a comment that stands so before it sends the file.
"""

import posixpath
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.errors import RulebookError
from orchestrator.memory.text import rule_id
from orchestrator.models import Rule
from teacher.models import RuleText

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

HEADING: Final = "## Learned Rules & Patterns"

_TITLE: Final = HEADING.removeprefix("## ").casefold()
_SECTION_LEVEL: Final = 2
_BOM: Final = "\ufeff"
UTF16: Final = (b"\xff\xfe", b"\xfe\xff")
"""How a file begins that is no UTF-8, and takes none."""
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SPACE: Final = " \t\r\v\f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
"""What JavaScript takes for white space, the ends of lines aside."""
_FRONT_MATTER: Final = re.compile(rf"\A---[{_SPACE}]*\n(.*?)---[{_SPACE}\n]*", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_SPACES: Final = re.compile(r"\s*")
_IMPORT: Final = re.compile(r"(?:^|\s)@([^\s\\#]+)")
_RULE_COMMENT: Final = re.compile(r"\s*<!--\s*rule\s+([\w-]+)")
_FIELD: Final = re.compile(r"\*\*(rule|when|why|source)(?::\*\*|\*\*\s*:)(.*)", re.I | re.S)
_BEGINS: Final = re.compile(r"#{1,6}(?=[ \t\r\n]|\Z)|<!--")
"""How a line begins that ends whatever stands before it, unless a fence or HTML is open there."""
_PROBE: Final = "# probe\n"
_EOL: Final = r"(?:\r?\n|\Z)"
_PLAIN_RULE: Final = re.compile(
    rf"<!-- rule [\w-]+(?:: [^\r\n\0]*)? -->{_EOL}"
    rf"(?:- \*\*(?:Rule|When|Why)\*\*:[^\r\n\0]*{_EOL}(?:  - \*\*Source\*\*:[^\r\n\0]*{_EOL})?)+"
    r"(?:\r?\n)*\Z"
)
"""A rule as we write it: each line is what it looks like, whatever its text says."""


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
class Place:
    """Where a rule stands."""

    comment: Comment | None
    bullets: tuple[Bullet, ...]

    def bullet(self, name: str) -> Bullet | None:
        """The bullet with this name."""
        return next((bullet for bullet in self.bullets if bullet.name == name), None)

    def text(self, name: str) -> str:
        """The text of the bullet with this name; empty when it is missing."""
        bullet = self.bullet(name)
        return bullet.text if bullet else ""


@dataclass(frozen=True)
class Document:
    """A rulebook file, read.

    `rules` are all rules in force, in the order of the file, each with an id of its own: the one
    in its comment, or one that follows from its text.
    """

    rules: tuple[Rule, ...]
    ids: frozenset[str] = field(repr=False)
    """Every id that is taken, also by a comment whose rule is gone."""
    bom: str = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    """The file's lines with their endings, bytes that are not UTF-8 as surrogates."""
    section: tuple[int, int] | None = field(repr=False)
    """The lines of the (first) managed section, after its heading."""
    places: tuple[Place, ...] = field(repr=False)
    closer: str = field(repr=False)
    """What would end the last block of the file, in case nobody ended it."""

    @cached_property
    def _numbers(self) -> Mapping[str, int]:
        """The place of each rule in `rules`, by its id."""
        return {rule.id: number for number, rule in enumerate(self.rules)}

    def place(self, rule: str) -> Place:
        """Where the rule with this id stands. Raises KeyError when there is none."""
        return self.places[self._numbers[rule]]

    def note(self, rule: str) -> str:
        """What the comment of the rule with this id says, with its marks."""
        comment = self.place(rule).comment
        return "".join(self.lines[comment.start : comment.end]) if comment else ""

    def find(self, rule: str) -> Rule | None:
        """The rule with this id."""
        number = self._numbers.get(rule)
        return None if number is None else self.rules[number]


@dataclass(frozen=True)
class Piece:
    """What stands in some lines of a file, which are counted from the first of them."""

    headings: tuple[tuple[int, int, str], ...] = ()
    """Headings of level 1 and 2: the line of each, the line after it, and its title."""
    marks: tuple[Bullet | Comment, ...] = ()
    closer: str = ""
    """What would end its last block, in case nobody ended it."""
    open: bool = False
    """Whether what comes after it may be part of its last block."""
    empty: bool = False

    def moved(self, by: int) -> "Piece":
        """Return the same so many lines further down."""
        if not by:
            return self
        headings = tuple((start + by, end + by, title) for start, end, title in self.headings)
        marks = tuple(
            Comment(mark.id, mark.start + by, mark.end + by)
            if isinstance(mark, Comment)
            else Bullet(mark.name, mark.text, mark.item + by, mark.start + by, mark.end + by)
            for mark in self.marks
        )
        return replace(self, headings=headings, marks=marks)


@lru_cache(maxsize=16)  # a few files are read for the teacher, for the edit, and to check it
def parse(data: bytes) -> Document:
    """Read a rulebook file. Whatever is in it, this gives what rules can be made out.

    Takes up to 7 s for a file of 1 MB, and 30 ms for one of 10 kB; a rule in our own form, or a
    piece that was read before, takes some 10 microseconds.

    Raises:
        RulebookError: the file is UTF-16, to which no UTF-8 text can be added.
    """
    if data.startswith(UTF16):
        raise RulebookError("the file is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    bom = _BOM if text.startswith(_BOM) else ""
    text = text.removeprefix(_BOM)
    pieces = tuple(read_pieces(_LINE.findall(_masked(text))))
    return document_of(bom, tuple(_LINE.findall(text)), pieces)


def document_of(bom: str, lines: tuple[str, ...], pieces: Sequence[Piece]) -> Document:
    """Return the document whose lines hold these pieces."""
    sections = tuple(_sections(pieces, len(lines)))
    found = [mark for piece in pieces for mark in piece.marks]
    starts = [mark.start for mark in found]
    marks = [
        found[bisect_left(starts, start) : bisect_left(starts, end)] for start, end in sections
    ]
    comments = frozenset(mark.id for part in marks for mark in part if isinstance(mark, Comment))
    places = tuple(place for part in marks for place in _places(part))
    rules = _rules(places, comments)
    return Document(
        rules=rules,
        ids=comments | {rule.id for rule in rules},
        bom=bom,
        lines=lines,
        section=sections[0] if sections else None,
        places=places,
        closer=next((piece.closer for piece in reversed(pieces) if not piece.empty), ""),
    )


def read_pieces(lines: Sequence[str]) -> Iterator[Piece]:
    """Read a file in pieces; once one is open at its end, all that follows is read with it."""
    begins = [number for number, line in enumerate(lines) if number and _BEGINS.match(line)]
    for start, end in pairwise([0, *begins, len(lines)]):
        piece = read_piece("".join(lines[start:end]))
        if piece.open and end < len(lines):
            yield read_piece("".join(lines[start:])).moved(start)
            return
        yield piece.moved(start)


@lru_cache(maxsize=4096)
def read_piece(text: str) -> Piece:
    """Read one piece."""
    return _plain_rule(text) if _PLAIN_RULE.match(text) else _parsed(text)


def _plain_rule(text: str) -> Piece:
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


def _parsed(text: str) -> Piece:
    """Read any text with markdown-it.

    A heading put behind the text tells whether a block is open at its end: it swallows the heading.
    """
    ended = text if not text or text.endswith(("\r", "\n")) else f"{text}\n"
    tokens = _parser().parse(ended + _PROBE)
    heading = tokens[-3:][0]  # with its text and its end
    found = heading.type == "heading_open" and not heading.level
    is_open = not found or _span(heading)[0] != len(_LINE.findall(text))
    tokens = _parser().parse(text) if is_open else tokens[:-3]
    return Piece(
        tuple(_headings(tokens)), tuple(_marks(tokens)), _closer(tokens), is_open, not tokens
    )


def swallowed(what: str) -> RulebookError:
    """The error for a file in which what was begun and not ended would swallow what is added."""
    return RulebookError(
        f"the file cannot take {what}: a block was begun and not ended",
        "end the front matter, or the code fence, comment or HTML tag at its end, that is open",
    )


@lru_cache(maxsize=16)
def carries_rules(data: bytes) -> bool:
    """Whether a file may have a managed section: a look, where reading it takes long."""
    encoding = "utf-16" if data.startswith(UTF16) else "utf-8"
    return _TITLE in _title(data.decode(encoding, "replace"))


def front_matter_of(data: bytes) -> str | None:
    """The YAML at the beginning of a file, as Claude Code (2.1.329) finds it.

    It ends with the first `---`, wherever that stands; Claude Code sends the rest.
    """
    found = _FRONT_MATTER.match(_text(data))
    return found[1] if found else None


def has_content(data: bytes) -> bool:
    """Whether Claude Code finds anything in a file once comments and front matter are gone."""
    text = _text(data)
    front = _FRONT_MATTER.match(text)
    at = front.end() if front else 0
    # To the first character that counts, and no further: a rulebook may be long.
    while comment := _COMMENT.match(text, at := _SPACES.match(text, at).end()):
        at = comment.end()
    return at < len(text)


@lru_cache(maxsize=16)
def imports(data: bytes) -> frozenset[str]:
    """The paths that a file imports with `@path`, from its folder.

    As Claude Code (2.1.329) finds them: not in front matter, code, comments or HTML blocks. In a
    list it looks into code spans and inline comments too.
    """
    if b"@" not in data:
        return frozenset()
    found: list[str] = []
    lists = 0
    for token in _inline_parser().parse(_masked(_text(data))):
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


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace").removeprefix(_BOM)


def _masked(text: str) -> str:
    """A file's text with empty lines for its front matter, which Claude Code does not send."""
    found = _FRONT_MATTER.match(text)
    if not found:
        return text
    # A space for what stood in a line, or a lone \r before it would end up beside its \n.
    return re.sub(r"[^\r\n]+", " ", found[0]) + text[found.end() :]


def _title(text: str) -> str:
    """A title, or what may have it within, however it is spaced and capitalised."""
    return " ".join(text.split()).casefold()


@lru_cache(maxsize=1)
def _parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Only the blocks matter: what stands inside a line is kept as it was written.
    return MarkdownIt("commonmark").disable(["inline", "text_join"])


@lru_cache(maxsize=1)
def _inline_parser() -> "MarkdownIt":
    from markdown_it import MarkdownIt

    # Unjoined, so that an escaped @ is told from a plain one.
    return MarkdownIt("commonmark").disable("text_join")


def _span(token: "Token") -> tuple[int, int]:
    start, end = token.map or (0, 0)
    return start, end


def _headings(tokens: Sequence["Token"]) -> Iterator[tuple[int, int, str]]:
    """Find the headings that begin or end a section: not in a list or quote, of level 1 or 2."""
    for token, title in pairwise(tokens):
        if token.type != "heading_open" or token.level or int(token.tag[1]) > _SECTION_LEVEL:
            continue
        yield *_span(token), _title(title.content)


def _sections(pieces: Sequence[Piece], lines: int) -> Iterator[tuple[int, int]]:
    """Lines of each managed section, from after its heading up to the next of level 1 or 2."""
    begun: int | None = None
    for start, end, title in (heading for piece in pieces for heading in piece.headings):
        if begun is not None:
            yield begun, start
        begun = end if title == _TITLE else None
    if begun is not None:
        yield begun, lines


def _marks(tokens: Sequence["Token"]) -> Iterator[Bullet | Comment]:
    """All rule comments and all field bullets, in the order of the file."""
    quotes = 0
    for before, token, after in zip([None, *tokens], tokens, [*tokens[1:], None], strict=False):
        quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if quotes:
            continue
        if token.type == "html_block" and (comment := _RULE_COMMENT.match(token.content)):
            yield Comment(comment[1], *_span(token))
        if before is None or before.type != "list_item_open" or after is None:
            continue
        if token.type == "paragraph_open" and (bullet := _FIELD.match(after.content)):
            text = " ".join(bullet[2].split())
            yield Bullet(bullet[1].capitalize(), text, _span(before)[0], *_span(token))


def _places(marks: Iterable[Bullet | Comment]) -> Iterator[Place]:
    comment: Comment | None = None
    bullets: list[Bullet] = []
    for mark in marks:
        if bullets and (isinstance(mark, Comment) or mark.name == "Rule"):
            yield Place(comment, tuple(bullets))
            comment, bullets = None, []
        if isinstance(mark, Comment):
            comment = mark
        elif mark.name == "Rule" or (bullets and mark.name not in {b.name for b in bullets}):
            bullets.append(mark)
    if bullets:
        yield Place(comment, tuple(bullets))


def _rules(places: Sequence[Place], comments: frozenset[str]) -> tuple[Rule, ...]:
    rules: dict[str, Rule] = {}
    taken = set(comments)
    for place in places:
        text = RuleText(place.text("Rule"), place.text("When"), place.text("Why"))
        if place.comment and place.comment.id not in rules:
            key = place.comment.id
        else:
            key = free_id(text, taken)
        taken.add(key)
        rules[key] = Rule(key, text, place.text("Source"))
    return tuple(rules.values())


def free_id(text: RuleText, taken: AbstractSet[str]) -> str:
    """The id that follows from the text, or the next one that is not taken."""
    nth = 0
    while (key := rule_id(text, nth)) in taken:
        nth += 1
    return key


def _closer(tokens: Sequence["Token"]) -> str:
    """What would end the last block of the file, in case nobody ended it."""
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
