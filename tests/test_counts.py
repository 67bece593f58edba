"""Counts have their nouns, and nothing writes a plural by hand."""

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.counts import format_count, name_first
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport

ROOT = Path(__file__).parent.parent
BY_HAND = re.compile(
    r"""'s' \*|"s" \*|\{'s' if|\{'' if [^}]*== 1|"s"\[:|["']1 [a-z ]+["'] if |'error' if """
)
"""What a plural looks like where its author did not use `format_count`."""


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")]
)
def test_a_count_has_its_noun(count: int, text: str) -> None:
    assert format_count(count, "run") == text


@given(st.integers(0, 10**9))
def test_only_one_is_singular(count: int) -> None:
    assert format_count(count, "process", "processes").endswith(" process") is (count == 1)


def test_names_beyond_the_first_are_counted() -> None:
    assert name_first(("a", "b", "c")) == "a, b, c"
    assert name_first(("a", "b", "c", "d", "e")) == "a, b, c and 2 more"


def test_the_summary_of_a_suite_has_no_wrong_plural() -> None:
    cases = tuple(Case(str(at), CaseOutcome.ERROR) for at in range(2))
    assert SuiteReport(SuiteOutcome.FAILED, 1, cases).summary == "2 errors"
    assert SuiteReport(SuiteOutcome.FAILED, 1, cases[:1]).summary == "1 error"
    assert SuiteReport(SuiteOutcome.USAGE_ERROR, 4).summary == "usage error (no test ran)"


def test_no_plural_is_made_by_hand() -> None:
    sources = [*(ROOT / "orchestrator").rglob("*.py"), *(ROOT / "teacher").rglob("*.py")]
    assert len(sources) > 100
    found = [
        f"{path}:{number}"
        for path in sources
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if BY_HAND.search(line) and not line.lstrip().startswith("#")
    ]
    assert found == []
