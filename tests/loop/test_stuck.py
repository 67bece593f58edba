"""When a run counts as stuck, as a function of its attempts."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.loop.stuck import find_stuck_reason
from orchestrator.models import (
    AgentOutcome,
    AgentResult,
    Attempt,
    Diff,
    FileChange,
    RunOutcome,
    RunResult,
    Snapshot,
    SuiteReport,
    Task,
    Verdict,
    VerdictKind,
)
from orchestrator.suites.fake import make_report

TASK = Task("make it green", Path("/project"))
EDIT = (FileChange("a.py", "M", 1, 1),)


def attempt(number: int, report: SuiteReport | None, *, edited: bool = True) -> Attempt:
    tree = Snapshot("0" * 40)
    diff = Diff(EDIT if edited else (), Path("/patch"))
    agent = AgentResult(AgentOutcome.COMPLETED if report else AgentOutcome.API_ERROR)
    verdict = Verdict(VerdictKind.SOLVED) if report and report.has_passed else None
    return Attempt(number, "go", agent, tree, tree, diff, report, verdict)


def run_of(word: str) -> RunResult:
    """A letter for each attempt: `a`, `b`: how it failed; upper case: no edit; `-`: no verdict."""
    attempts = [
        attempt(
            number,
            None if letter == "-" else make_report(failed=[f"test_{letter.lower()}"]),
            edited=letter.islower(),
        )
        for number, letter in enumerate(word, 1)
    ]
    return RunResult(RunOutcome.RUNNING, tuple(attempts))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("", ""),
        ("aa", ""),
        ("aaa", "3 attempts in a row failed in the same way (fingerprint"),
        ("baaa", "in the same way"),
        ("aab", ""),
        ("aba", ""),
        ("abab", "in ways seen before"),
        ("abc", ""),
        ("a-a-a", "in the same way"),
        ("aAa", "1 of them without changing a file"),
        ("ABC", "the agent changed no file in 3 attempts in a row; still failing: test_c"),
        ("aBC", ""),
    ],
)
def test_what_counts_as_stuck(word: str, reason: str) -> None:
    said = find_stuck_reason(TASK, run_of(word), 3)
    assert (reason in said) if reason else said == ""
    assert "still failing: test_" in said or not said


def test_a_green_attempt_and_no_limit_are_never_stuck() -> None:
    green = RunResult(
        RunOutcome.RUNNING, tuple(attempt(n, make_report(passed=["test_a"])) for n in (1, 2, 3))
    )
    assert find_stuck_reason(TASK, green, 3) == ""
    assert find_stuck_reason(TASK, run_of("aaaaaa"), None) == ""


@given(st.text("abcABC-", max_size=9), st.integers(2, 5))
def test_it_agrees_with_its_definition(word: str, after: int) -> None:
    judged = word.replace("-", "")
    last = judged[-after:]
    new = [at for at in range(len(judged)) if judged[at].lower() not in judged[:at].lower()]
    expected = len(last) == after and (
        last.isupper() or all(at <= len(judged) - after for at in new)
    )
    assert bool(find_stuck_reason(TASK, run_of(word), after)) == expected
