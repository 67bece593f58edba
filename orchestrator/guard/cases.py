"""What a suite's report says, held against the report of the run's beginning.

Tests were put back before the suite ran, so a case that does not run any more was hidden by
something else: by what the code under test does, or by whatever nobody thought of.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

from orchestrator.models import Case, CaseOutcome, Finding, FindingKind, SuiteReport

_FUNCTION: Final = re.compile(r"(?:test|it_|should_|check_|spec_)\w*(?:\[.*\])?", re.I | re.S)
"""A doctest is named by its module with dots, a linter's case by the linter."""

_SHOWN: Final = 20
"""Cases that are named; of more only the count is told."""

_LAST_LINE: Final = re.compile(
    r"^[=\s]*((?:\d+ [a-z]+(?: [a-z]+)?(?:, )?)+) in [\d.,:]+ ?s?.*$", re.MULTILINE
)
"""How pytest ends (`_pytest/terminal.py`, `build_summary_stats_line`): `1 failed, 2 passed in`."""

_WORDS: Final = {
    "passed": CaseOutcome.PASSED,
    "xpassed": CaseOutcome.PASSED,
    "failed": CaseOutcome.FAILED,
    "error": CaseOutcome.ERROR,
    "errors": CaseOutcome.ERROR,
    "skipped": CaseOutcome.SKIPPED,
    "xfailed": CaseOutcome.SKIPPED,
}


def case_files(report: SuiteReport) -> set[str]:
    """The files whose cases a report lists, those of doctests and linters not counted."""
    return {
        case.id.split("::", 1)[0]
        for case in report.cases
        if "::" in case.id and _FUNCTION.fullmatch(case.id.rpartition("::")[2])
    }


def test_files(report: SuiteReport, project: Path) -> set[str]:
    """The files to run for all the cases of a report, one that could not be imported included."""
    named = {case.id.split("::", 1)[0] for case in report.cases}
    return {name for name in named if (project / name).is_file()}


def hidden(baseline: SuiteReport, report: SuiteReport) -> list[Finding]:
    """Cases that ran at the beginning and are skipped or gone now."""
    ran = [case for case in baseline.cases if case.outcome is not CaseOutcome.SKIPPED]
    now = {case.id: case for case in report.cases}
    running = Counter(_function(c) for c in report.cases if c.outcome is not CaseOutcome.SKIPPED)
    # A report without a word on most cases is of a suite that broke off: red, and no more.
    if not report.passed:
        return []
    found: list[Finding] = []
    for case in ran:
        present = now.get(case.id)
        if present and present.outcome is not CaseOutcome.SKIPPED:
            continue
        if "::" not in case.id:
            found += _file_without_cases(case, running)
        elif present:
            found.append(_finding(case, f"{case.outcome} at the start, skipped now"))
        elif case.failing or not running[_function(case)]:
            found.append(_finding(case, f"{case.outcome} at the start, not run now"))
        else:
            # Parameters often come from the code under test; the test itself still runs.
            text = f"{case.outcome} at the start, not run now; others of this test are"
            found.append(_finding(case, text, decisive=False))
    return _bounded(found)


def disagreeing(baseline: SuiteReport, report: SuiteReport) -> list[Finding]:
    """A report that says another thing than what pytest printed.

    Whether pytest prints how it ends is up to its options; the baseline tells.
    """
    if not report.passed or _printed(baseline) is None:
        return []
    said, counted = _printed(report), Counter(case.outcome for case in report.cases)
    if said is None:
        text = "the report is there, but pytest never said how it ended"
    elif said[CaseOutcome.FAILED] > counted[CaseOutcome.FAILED]:
        text = "pytest said that cases failed, the report does not"
    elif said[CaseOutcome.PASSED] < counted[CaseOutcome.PASSED]:
        passed, listed = said[CaseOutcome.PASSED], counted[CaseOutcome.PASSED]
        text = f"pytest said that {passed} passed, the report lists {listed}"
    else:
        return []
    return [Finding(FindingKind.INCONSISTENT, report.command, text, decisive=True)]


def agreeing(report: SuiteReport, alone: SuiteReport, files: Collection[str]) -> list[Finding]:
    """Cases that are green in the whole suite, and not without the agent's own tests."""
    green = {case.id for case in report.cases if case.outcome is CaseOutcome.PASSED}
    found = [
        Finding(
            FindingKind.HIDDEN,
            case.id,
            f"passes only beside the new tests in {', '.join(sorted(files)[:3])}",
            decisive=True,
        )
        for case in alone.cases
        if case.failing and (case.id in green or "::" not in case.id)
    ]
    if not found and not alone.passed:
        text = f"the tests of the start do not pass without the new ones: {alone.summary}"
        found = [Finding(FindingKind.HIDDEN, alone.command, text, decisive=True)]
    return _bounded(found)


def _file_without_cases(case: Case, running: Counter[str]) -> Iterator[Finding]:
    if not any(function.startswith(f"{case.id}::") for function in running):
        yield _finding(case, "could not be imported at the start, and nothing of it runs now")


def _finding(case: Case, text: str, *, decisive: bool = True) -> Finding:
    return Finding(FindingKind.HIDDEN, case.id, text, decisive)


def _function(case: Case) -> str:
    return case.id.split("[", 1)[0]


def _printed(report: SuiteReport) -> Counter[CaseOutcome] | None:
    """What the last summary line that pytest printed counts; None without one."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", report.output)
    lines = [line for line in _LAST_LINE.findall(plain) if "passed" in line or "failed" in line]
    if not lines:
        return None
    counts: Counter[CaseOutcome] = Counter()
    for number, word in re.findall(r"(\d+) ([a-z]+)", lines[-1]):
        if word in _WORDS:
            counts[_WORDS[word]] += int(number)
    return counts


def _bounded(found: list[Finding]) -> list[Finding]:
    found.sort(key=lambda finding: not finding.decisive)
    if len(found) <= _SHOWN:
        return found
    more = f"and {len(found) - _SHOWN} more cases"
    return [*found[:_SHOWN], Finding(FindingKind.HIDDEN, "the suite", more, found[0].decisive)]
