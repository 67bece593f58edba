"""Reads how many tests ran from the output of runners that name no cases."""

import re
from typing import Final

from orchestrator.counts import format_count
from orchestrator.models import Finding, FindingKind, SuiteReport
from orchestrator.suites.pytest.summary import PASSED_COUNT

_COUNTS: Final = (
    re.compile(r"^Ran (\d+) tests? in ", re.MULTILINE),
    re.compile(r"^(?:#|\u2139) tests (\d+)\s*$", re.MULTILINE),
    re.compile(r"^1\.\.(\d+)\s*$", re.MULTILINE),
    re.compile(r"^test result: \w+\. (\d+) passed", re.MULTILINE),
    re.compile(r"^\s*Tests:?\s+(?:.*\D)?(\d+) passed", re.MULTILINE),
    re.compile(r"^\s*(\d+) passing\b", re.MULTILINE),
    re.compile(r"^(\d+) examples?, \d+ failures?", re.MULTILINE),
    re.compile(r"^Tests run: (\d+),", re.MULTILINE),
    PASSED_COUNT,
)
"""unittest, node:test, TAP, cargo, jest and vitest, mocha, rspec, JUnit, pytest."""

_PARTS: Final = (
    re.compile(r"^(?:=== RUN|--- PASS:|ok)\s+\S+", re.MULTILINE),
    re.compile(r"^(?:not )?ok \d+", re.MULTILINE),
)
"""go, and TAP without a plan, print a line for each test or package."""

_SKIPPED: Final = (
    re.compile(r"skipped=(\d+)"),
    re.compile(r"^(?:#|\u2139) (?:skipped|todo|cancelled) (\d+)\s*$", re.MULTILINE),
)

_TERMINAL: Final = re.compile(r"\x1b\[[0-9;]*m")


def count_tests(output: str) -> int | None:
    """Return how many tests the runner says it ran; None if the output has no known count."""
    plain = _TERMINAL.sub("", output)
    for pattern in _COUNTS:
        if found := pattern.findall(plain):
            return sum(map(int, found))
    lines = [len(pattern.findall(plain)) for pattern in _PARTS]
    return max(lines) or None


def count_skipped(output: str) -> int:
    """Return how many tests the runner says it skipped."""
    plain = _TERMINAL.sub("", output)
    return sum(int(each) for pattern in _SKIPPED for each in pattern.findall(plain))


def find_missing_tests(baseline: SuiteReport, report: SuiteReport) -> list[Finding]:
    """Return a finding if a green suite says that it ran fewer tests than at the baseline."""
    if not report.has_passed or baseline.cases or (before := count_tests(baseline.output)) is None:
        return []
    now = count_tests(report.output)
    if now is None:
        text = f"ran {format_count(before, 'test')} at the start, and does not say how many now"
    elif now < before:
        text = f"ran {format_count(before, 'test')} at the start, {now} now"
    elif count_skipped(report.output) > count_skipped(baseline.output) and now - count_skipped(
        report.output
    ) < (before - count_skipped(baseline.output)):
        skipped = count_skipped(baseline.output), count_skipped(report.output)
        text = f"skipped {format_count(skipped[0], 'test')} at the start, {skipped[1]} now"
    else:
        return []
    return [Finding(FindingKind.HIDDEN, report.command or "the suite", text, decisive=True)]
