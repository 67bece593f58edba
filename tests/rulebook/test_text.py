"""A rule's text can do no harm where it is written."""

import re
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from markdown_it import MarkdownIt
from markdown_it.token import Token

from orchestrator.rulebook.text import (
    MAX_CHARS,
    derive_rule_id,
    normalize_text,
    sanitize_line,
    sanitize_text,
    sanitize_word,
)
from teacher.models import RuleText
from tests.rulebook.making import harmful_text

_CLAUDE_CODE_IMPORT = re.compile(r"(?:^|\s)@\S")


def _plain(tokens: Sequence[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type == "text":
            yield token.content
        yield from _plain(token.children or ())


@given(harmful_text)
def test_whatever_the_text_the_line_is_one_short_line_that_imports_nothing(text: str) -> None:
    line = sanitize_line(text)
    assert len(line) <= MAX_CHARS
    assert len(line.splitlines()) <= 1
    assert not any(mark in line for mark in ("<!--", "-->", "```", "~~~", "\u202e", "\u200b"))
    line.encode("utf-8")
    # As Claude Code looks for imports: in a list item's raw text, and in each plain piece of it.
    tokens = MarkdownIt("commonmark").parse(f"- **Rule**: {line}")
    for piece in (line, *_plain(tokens)):
        assert not _CLAUDE_CODE_IMPORT.search(piece)


@given(harmful_text)
def test_no_at_word_stands_outside_backticks(text: str) -> None:
    outside = re.sub(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)", "", sanitize_line(text))
    assert not re.search(r"(?<![A-Za-z0-9])@", outside)


@given(harmful_text)
def test_what_is_safe_already_stays_as_it_is(text: str) -> None:
    assert sanitize_line(sanitize_line(text)) == sanitize_line(text)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("Never  use\n\tx", "Never use x"),
        ("Mock with @patch, never by hand", "Mock with `@patch`, never by hand"),
        ("Keep `@pytest.fixture` and `a  b`", "Keep `@pytest.fixture` and `a b`"),
        ("Run `npm i @types/node` first", "Run `npm i` `@types/node` first"),
        ("Write to me@example.org", "Write to me@example.org"),
        ("**@calc.py**", "**`@calc.py`**"),
        (r"\@calc.py", "`@calc.py`"),
        ("[a](b`c) @calc.py `", "[a](bc) `@calc.py`"),
        ("a --> b <!-- c -->", "a -> b <! -- c ->"),
        ("```py\nx = 1\n```", "`py x = 1 `"),
        ("zero\u200bwidth \u202eturned\x07", "zerowidth turned"),
        ("क्\u200dष 👩\u200d💻", "क्\u200dष 👩\u200d💻"),
        ("\ud800lone", "lone"),
    ],
)
def test_each_harm_has_its_mend(text: str, line: str) -> None:
    assert sanitize_line(text) == line


def test_a_long_text_is_cut_at_a_word() -> None:
    line = sanitize_line("word " * 200)
    assert line.endswith("word…")
    assert MAX_CHARS - 5 <= len(line) <= MAX_CHARS
    assert len(sanitize_line("a" * 1000)) == MAX_CHARS


def test_each_field_of_a_rule_is_made_safe() -> None:
    assert sanitize_text(RuleText("a\nb", "@c", "```")) == RuleText("a b", "`@c`", "`")


def test_texts_that_differ_in_case_space_and_quotes_are_the_same_rule() -> None:
    one = RuleText("Never return `0`.", "No  result", "a")
    assert normalize_text(one) == normalize_text(RuleText("never return 0", "no result", "b"))
    assert normalize_text(one) != normalize_text(RuleText("Never return `1`.", "No result", "a"))
    assert normalize_text(one) != normalize_text(RuleText("Never return `0`.", "Some result", "a"))


def test_an_id_follows_from_the_text_and_can_be_counted_on() -> None:
    text = RuleText("a", "b", "c")
    assert derive_rule_id(text) == derive_rule_id(RuleText("A.", "b", "other"))
    assert re.fullmatch("r-[0-9a-f]{6}", derive_rule_id(text))
    assert derive_rule_id(text, 1) not in (derive_rule_id(text), derive_rule_id(text, 2))


def test_a_word_for_a_comment_cannot_end_it() -> None:
    assert sanitize_word("tests/test_a.py::test_b[1-2]") == "tests/test_a.py::test_b-1-2"
    assert sanitize_word("--> @x\n, run 7") == "x-run-7"
    assert len(sanitize_word("a" * 500)) == 60
