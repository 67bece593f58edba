"""An agent's text is data: a terminal must not act on it."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.wording import (
    contains_words,
    format_one_line,
    quote_last_lines,
    strip_control_characters,
)

ANY_TEXT = st.text(st.characters())


@given(ANY_TEXT)
def test_plain_text_has_nothing_that_controls_a_terminal(text: str) -> None:
    result = strip_control_characters(text)
    assert {c for c in result if unicodedata.category(c) in ("Cc", "Cs")} <= {"\n", "\t"}
    assert not set(result) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
    result.encode("utf-8")


@given(st.text(st.characters(exclude_categories=["C"])))
def test_plain_text_is_left_as_it_is(text: str) -> None:
    assert strip_control_characters(text) == text


@given(ANY_TEXT, st.integers(1, 50))
def test_one_line_is_one_line_and_not_longer(text: str, length: int) -> None:
    result = format_one_line(text, length)
    assert len(result) <= length
    assert len(result.splitlines()) <= 1


def test_one_line_says_that_it_was_cut() -> None:
    assert format_one_line("a\n b\t\x1b[0mc", 20) == "a b c"
    assert format_one_line("abcdef", 4) == "abc…"


def test_last_lines_leave_out_what_is_empty() -> None:
    assert quote_last_lines("one\n\ntwo\n  three\n\n", lines=2) == "two / three"


@given(ANY_TEXT)
def test_words_are_found_before_and_after_the_text_is_made_plain(text: str) -> None:
    assert contains_words(text + " done")
    assert not contains_words("\x1b[0;31m \n\x1b[2K --- " + strip_control_characters("\x1b[?25h"))
