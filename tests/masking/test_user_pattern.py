"""Patterns of a project: they find what they found before, and never take longer than the limit."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.masking import Masker, user_pattern
from orchestrator.masking.user_pattern import TooSlowError, UserPattern, check_pattern

SLOW = (
    r"(a+)+$",
    r"(\w+\s*)+$",
    r"(a|aa)+$",
    r"^(([a-z])+.)+[A-Z]([a-z])+$",
    r"(=|=\w*|\w)*$(?<!!)",
)
USUAL = (
    r"corp-[0-9a-f]{8}",
    r"(?i)employee[ _-]?id\s*[:=]\s*(\d+)",
    r"(?<=key=)\S+",
    r"\b[A-Z]{2}\d{2}(?: ?\w{4}){4,7}\b",
    r"[\w.+-]+@corp\.example",
    r"(?m)^secret .*$",
    r"(?P<quote>['\"])x(?P=quote)",
)


@pytest.mark.parametrize("pattern", SLOW)
def test_slow_pattern_is_refused(pattern: str) -> None:
    """The error says what to avoid, for `config show` and every other command."""
    with pytest.raises(ValueError, match="takes longer than"):
        check_pattern(pattern)


@pytest.mark.parametrize("pattern", USUAL)
def test_usual_pattern_is_accepted(pattern: str) -> None:
    """Patterns as in the documentation, and as other tools have them."""
    check_pattern(pattern)


@given(st.text(alphabet="corp-0aAf key=\n:'x@.example", max_size=80))
def test_matches_are_those_of_re(text: str) -> None:
    """The two modules agree on usual patterns."""
    for pattern in USUAL:
        expected = [match.span() for match in re.finditer(pattern, text)]
        found = UserPattern(pattern).find_matches(text, 0, len(text))
        assert [match.span() for match in found] == expected


def test_text_that_was_too_slow_is_masked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing leaks, and the time is bounded: here one repetition took longer than a lifetime."""
    monkeypatch.setattr(user_pattern, "MOST_SECONDS", 0.05)
    monkeypatch.setattr(user_pattern, "MOST_TOTAL_SECONDS", 0.2)
    masker = Masker([r"x(b+)+y"])
    assert masker.mask("a xbby c") == "a x[redacted: project's secret]y c"
    started = time.thread_time()
    masked = masker.mask("corp-secret x" + "b" * 200_000)
    assert time.thread_time() - started < 10
    assert "corp-secret" not in masked
    assert masked.startswith("[redacted: pattern took too long]")
    assert masker.mask(masked) == masked


def test_pattern_is_given_up_after_the_total_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many pieces that are each a little slow are bounded too."""
    monkeypatch.setattr(user_pattern, "MOST_TOTAL_SECONDS", 0.0)
    with pytest.raises(TooSlowError):
        UserPattern("a").find_matches("a", 0, 1)
