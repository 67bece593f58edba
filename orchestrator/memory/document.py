"""A rulebook file read: where the managed section is, and which rules stand in it.

What is a heading, a list, a comment or a fence is what CommonMark says, by markdown-it; where they
stand is kept in the file's own lines, for `editing`. Nothing here touches a file.

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
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.bom import BOM, is_utf16, split_bom
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
_LINE: Final = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SPACE: Final = " \t\r\v\f\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000" + BOM
"""What JavaScript takes for white space, the ends of lines aside."""
_FRONT_MATTER: Final = re.compile(rf"\A---[{_SPACE}]*\n(.*?)---[{_SPACE}\n]*", re.DOTALL)
_COMMENT: Final = re.compile(r"<!--.*?-->", re.DOTALL)
_IMPORT: Final = re.compile(r"(?:^|\s)@([^\s\\#]+)")
_RULE_COMMENT: Final = re.compile(r"\s*<!--\s*rule\s+([\w-]+)")
_FIELD: Final = re.compile(r"\*\*(rule|when|why|source)(?::\*\*|\*\*\s*:)(.*)", re.I | re.S)


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

    def place(self, rule: str) -> Place:
        """Where the rule with this id stands. Raises KeyError when there is none."""
        for known, place in zip(self.rules, self.places, strict=True):
            if known.id == rule:
                return place
        raise KeyError(rule)

    def note(self, rule: str) -> str:
        """What the comment of the rule with this id says, with its marks."""
        comment = self.place(rule).comment
        return "".join(self.lines[comment.start : comment.end]) if comment else ""

    def find(self, rule: str) -> Rule | None:
        """The rule with this id."""
        return next((known for known in self.rules if known.id == rule), None)


@lru_cache(maxsize=16)  # a few files are read for the teacher, for the edit, and to check it
def parse(data: bytes) -> Document:
    """Read a rulebook file. Whatever is in it, this gives what rules can be made out.

    Takes 2 to 7 s for a file of 1 MB, about 30 ms for one of 10 kB.

    Raises:
        RulebookError: the file is UTF-16, to which no UTF-8 text can be added.
    """
    if is_utf16(data):
        raise RulebookError("the file is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    bom, text = split_bom(text)
    tokens = _parser().parse(_masked(text))
    lines = tuple(_LINE.findall(text))
    sections = tuple(_sections(tokens, len(lines)))
    found = tuple(_marks(tokens))
    marks = [[mark for mark in found if start <= mark.start < end] for start, end in sections]
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
        closer=_closer(tokens),
    )


def swallowed(what: str) -> RulebookError:
    """The error for a file in which what was begun and not ended would swallow what is added."""
    return RulebookError(
        f"the file cannot take {what}: a block was begun and not ended",
        "end the front matter, or the code fence, comment or HTML tag at its end, that is open",
    )


def carries_rules(data: bytes) -> bool:
    """Whether a file may have a managed section: a look, where reading it takes long."""
    encoding = "utf-16" if is_utf16(data) else "utf-8"
    return _TITLE in _title(data.decode(encoding, "replace"))


def front_matter_of(data: bytes) -> str | None:
    """The YAML at the beginning of a file, as Claude Code (2.1.329) finds it.

    It ends with the first `---`, wherever that stands; Claude Code sends the rest.
    """
    found = _FRONT_MATTER.match(_text(data))
    return found[1] if found else None


def has_content(data: bytes) -> bool:
    """Whether Claude Code finds anything in a file once comments and front matter are gone."""
    return bool(_COMMENT.sub("", _FRONT_MATTER.sub("", _text(data), 1)).strip())


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
    return data.decode("utf-8", "replace").removeprefix(BOM)


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


def _sections(tokens: Sequence["Token"], lines: int) -> Iterator[tuple[int, int]]:
    """Lines of each managed section, from after its heading up to the next of level 1 or 2."""
    begun: int | None = None
    for token, title in pairwise(tokens):
        if token.type != "heading_open" or token.level or int(token.tag[1]) > _SECTION_LEVEL:
            continue
        start, end = _span(token)
        if begun is not None:
            yield begun, start
        begun = end if _title(title.content) == _TITLE else None
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
    for place in places:
        text = RuleText(place.text("Rule"), place.text("When"), place.text("Why"))
        if place.comment and place.comment.id not in rules:
            key = place.comment.id
        else:
            key = free_id(text, comments | rules.keys())
        rules[key] = Rule(key, text, place.text("Source"))
    return tuple(rules.values())


def free_id(text: RuleText, taken: Iterable[str]) -> str:
    """The id that follows from the text, or the next one that is not taken."""
    taken, nth = frozenset(taken), 0
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
