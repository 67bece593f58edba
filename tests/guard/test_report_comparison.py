"""A report is compared with the report of the baseline."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.guard import report_comparison
from orchestrator.guard.case_counts import count_tests, find_missing_tests
from orchestrator.guard.report_comparison import find_hidden_cases, find_inconsistencies
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from tests.guard.footprints import GREEN, report
from tests.guard.projects import write

TEN, HALF = "tests/test_prices.py::test_ten", "tests/test_prices.py::test_half"


def test_the_same_cases_hide_nothing() -> None:
    assert find_hidden_cases(report(), GREEN) == []


def test_a_case_that_is_gone_or_skipped_is_hidden() -> None:
    gone = report((TEN,), ())
    skipped = replace(
        GREEN, cases=(GREEN.cases[0], replace(GREEN.cases[1], outcome=CaseOutcome.SKIPPED))
    )
    for now in (gone, skipped):
        (finding,) = find_hidden_cases(report(), now)
        assert finding.where == HALF
        assert finding.decisive


def test_parameters_from_the_code_may_go() -> None:
    before = report((f"{TEN}[a]", f"{TEN}[b]"), ())
    (finding,) = find_hidden_cases(before, report((f"{TEN}[a]",), ()))
    assert not finding.decisive


def test_a_failing_case_may_come_back_under_a_fresh_id() -> None:
    before = report((), (f"{TEN}[1700-a]", f"{TEN}[1700-b]"))
    now = report((f"{TEN}[1800-a]", f"{TEN}[1800-b]"), ())
    assert [each.decisive for each in find_hidden_cases(before, now)] == [False, False]
    fewer = report((f"{TEN}[1800-a]",), ())
    assert [each.decisive for each in find_hidden_cases(before, fewer)] == [True, False]
    old = report((f"{TEN}[1700-a]",), ())
    assert [each.decisive for each in find_hidden_cases(before, old)] == [True]


def test_the_files_of_a_control_run_keep_their_order(tmp_path: Path) -> None:
    write(tmp_path, {"b.py": "", "a.py": ""})
    assert report_comparison.list_test_files(
        report(("b.py::x", "a.py::x", "b.py::y", "gone.py::x"), ()), tmp_path
    ) == [
        "b.py",
        "a.py",
    ]


def test_a_file_that_could_not_be_collected_has_to_run_now() -> None:
    broken = Case(
        "tests/test_prices.py", CaseOutcome.ERROR, file="tests/test_prices.py", collecting=True
    )
    before = SuiteReport(SuiteOutcome.COLLECTION_ERROR, 2, (broken,))
    assert find_hidden_cases(before, GREEN) == []
    (finding,) = find_hidden_cases(before, report(("tests/test_other.py::test_a",), ()))
    assert finding.decisive


def test_what_the_runner_found_forged_is_decisive() -> None:
    found = find_inconsistencies(replace(GREEN, forged=("test_half: its code is not its file's",)))
    assert [each.decisive for each in found] == [True]
    assert [each.decisive for each in find_inconsistencies(replace(GREEN, complete=False))] == [
        True
    ]
    assert find_inconsistencies(GREEN) == []
    assert find_inconsistencies(replace(report(), complete=False)) == []


OUTPUTS = {
    "unittest": ("...\nRan 3 tests in 0.001s\n\nOK\n", 3),
    "node, TAP": ("# tests 4\n# pass 4\n", 4),
    "node, spec": ("\u2139 tests 5\n\u2139 pass 5\n", 5),
    "TAP": ("1..6\nok 1\n", 6),
    "cargo": ("test result: ok. 7 passed; 0 failed;\ntest result: ok. 1 passed; 0 failed;\n", 8),
    "jest": ("Tests:       2 skipped, 9 passed, 11 total\n", 9),
    "vitest": ("      Tests  10 passed (10)\n", 10),
    "mocha": ("  11 passing (5ms)\n", 11),
    "pytest": ("=== 12 passed in 0.1s ===\n", 12),
    "go": ("--- PASS: TestA (0.00s)\n--- PASS: TestB (0.00s)\nok  \tx\t0.1s\n", 3),
    "nothing": ("all fine\n", None),
}


@pytest.mark.parametrize("name", OUTPUTS)
def test_counts_of_runners(name: str) -> None:
    output, expected = OUTPUTS[name]
    assert count_tests(output) == expected


@pytest.mark.parametrize(
    ("now", "fewer"),
    [
        ("Ran 3 tests in 0.1s\n\nOK\n", False),
        ("Ran 4 tests in 0.1s\n\nOK\n", False),
        ("Ran 2 tests in 0.1s\n\nOK\n", True),
        ("ok\n", True),
        ("Ran 3 tests in 0.1s\n\nOK (skipped=1)\n", True),
    ],
)
def test_fewer_tests_than_at_the_start_are_decisive(now: str, fewer: bool) -> None:
    before = SuiteReport(SuiteOutcome.FAILED, 1, output="Ran 3 tests in 0.1s\n\nFAILED\n")
    found = find_missing_tests(before, SuiteReport(SuiteOutcome.PASSED, 0, output=now))
    assert bool(found) is fewer
    assert all(each.decisive for each in found)
