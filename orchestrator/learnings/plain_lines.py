"""Find the rules that older versions promoted: plain list items that no rulebook knows.

They are not changed. But no rule may be added that repeats one of them, or contradicts it.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from orchestrator.learnings.entries import normalize_text
from orchestrator.platform.bom import BOM
from orchestrator.rulebook.document import find_front_matter
from orchestrator.rulebook.preflight import is_same_rule
from orchestrator.rulebook.similarity import RuleRelation, compare_rules
from teacher.models import RuleText

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

HEADING: Final = "## Promoted learnings"

_FORBIDDING_WORDS: Final = frozenset(("never", "don't", "avoid", "not", "no"))
_REQUIRING_WORDS: Final = frozenset(("always", "do", "must", "should", "please", "use", "using"))
_LEVELS: Final = ("h1", "h2")
_TITLE: Final = normalize_text(HEADING.removeprefix("## "))


def find_same_line(data: bytes, text: RuleText) -> str:
    """Return a line that says the same as a rule; empty if there is none.

    That is a line of the section with the same meaning, or any line of the file with equal text.
    """
    wanted = normalize_text(text.rule)
    for line in _iter_promoted_lines(data):
        if is_same_rule(text, RuleText(line, text.when, "")):
            return line
    return next((line for line in _iter_lines(data) if normalize_text(line) == wanted), "")


def find_opposite_line(data: bytes, text: RuleText) -> str:
    """Return a line of the file that a rule contradicts; empty if there is none.

    Contradictions to rules of the rulebook are found by the rulebook.
    """
    for line in _iter_promoted_lines(data):
        if compare_rules(text, RuleText(line, "", "")) is RuleRelation.OPPOSITE:
            return line
    # Other lines of the file may be no rules at all, so their words have to be equal.
    negated, words = _split_polarity(text.rule)
    for line in _iter_lines(data):
        if (not negated, words) == _split_polarity(line):
            return line
    return ""


def _split_polarity(line: str) -> tuple[bool, tuple[str, ...]]:
    """Return whether a line forbids something, and its words without those that say so."""
    words = re.findall(r"[\w']+", line.casefold().replace("do not", "don't"))
    rest = tuple(
        word for word in words if word not in _FORBIDDING_WORDS and word not in _REQUIRING_WORDS
    )
    return any(word in _FORBIDDING_WORDS for word in words), rest


def _iter_promoted_lines(data: bytes) -> Iterator[str]:
    """Yield the list items under the heading, up to the next heading of its level."""
    inside = False
    for token, content in pairwise(_parse_tokens(data)):
        if token.type == "heading_open" and not token.level and token.tag in _LEVELS:
            inside = normalize_text(content.content) == _TITLE
        elif inside and token.type == "paragraph_open" and token.level:
            yield " ".join(content.content.split())


def _iter_lines(data: bytes) -> Iterator[str]:
    for token in _parse_tokens(data):
        if token.type == "inline":
            yield from token.content.split("\n")


@lru_cache(maxsize=8)  # a promotion looks through the same few files several times
def _parse_tokens(data: bytes) -> "Sequence[Token]":
    """Parse the text that Claude Code sends to the model, which has no front matter."""
    from markdown_it import MarkdownIt

    text = data.decode("utf-8", "surrogateescape").removeprefix(BOM)
    if find_front_matter(data) is not None:
        text = text.partition("\n")[2].partition("---")[2]
    # Only blocks are parsed: the text of a line is compared as it was written.
    return MarkdownIt("commonmark").disable(["inline", "text_join"]).parse(text)
