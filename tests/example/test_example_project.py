"""The example has precisely the bugs that it is meant to have, and nothing else wrong."""

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from orchestrator.models import SuiteOutcome, SuiteReport
from orchestrator.suites.pytest.suite import PytestSuite

EXAMPLE: Final = Path(__file__).parents[2] / "example_project"
FIX: Final = Path(__file__).parent / "fix.patch"

# One bug each, and the cases that catch it.
BUGS: Final = {
    "calculator/arithmetic.py: a zero divisor gives 0": {
        "tests/test_arithmetic.py::test_safe_divide_by_zero_has_no_answer",
        "tests/test_arithmetic.py::test_percentage_of_nothing_has_no_answer",
    },
    "calculator/arithmetic.py: money in floats": {
        "tests/test_arithmetic.py::test_split_bill_adds_up_to_the_bill[10.00-3]",
        "tests/test_arithmetic.py::test_split_bill_adds_up_to_the_bill[0.05-2]",
        "tests/test_arithmetic.py::test_split_bill_adds_up_to_the_bill[99.99-7]",
        "tests/test_arithmetic.py::test_split_bill_adds_up_to_the_bill[100.00-6]",
    },
    "calculator/expressions.py: subtraction binds to the right": {
        "tests/test_expressions.py::test_sums_are_read_from_the_left[8 - 3 - 2-3]",
        "tests/test_expressions.py::test_sums_are_read_from_the_left[1 - 2 + 3-2]",
    },
    "calculator/session.py: a mutable default": {
        "tests/test_session.py::test_two_calculators_have_histories_of_their_own",
    },
    "calculator/statistics.py: the median of an even number": {
        "tests/test_statistics.py::test_median_of_an_even_number_of_values",
    },
    "calculator/statistics.py: the last window": {
        "tests/test_statistics.py::test_moving_average_covers_every_window",
        "tests/test_statistics.py::test_moving_average_as_wide_as_the_list",
    },
}


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
    return Path(shutil.copytree(EXAMPLE, tmp_path / "example", ignore=ignored))


def report_on(project: Path) -> SuiteReport:
    command = f"{shlex.quote(sys.executable)} -m pytest tests/ -v --tb=short"
    return PytestSuite(command, 60).run(project)


def test_precisely_the_intended_cases_fail(copy: Path) -> None:
    report = report_on(copy)
    assert report.outcome is SuiteOutcome.FAILED
    assert {case.id for case in report.failing} == {
        case for cases in BUGS.values() for case in cases
    }
    assert len(report.cases) - len(report.failing) >= 20


def test_a_fixed_copy_passes(copy: Path) -> None:
    subprocess.run(["git", "apply", str(FIX)], cwd=copy, check=True)
    report = report_on(copy)
    assert report.has_passed, report.output
    assert len(report.cases) == 41


def test_it_brings_no_rules_and_needs_nothing_but_pytest() -> None:
    assert not (EXAMPLE / "CLAUDE.md").exists()
    assert "dependencies = []" in (EXAMPLE / "pyproject.toml").read_text(encoding="utf-8")


def test_its_readme_promises_what_a_fixed_copy_keeps(copy: Path) -> None:
    subprocess.run(["git", "apply", str(FIX)], cwd=copy, check=True)
    block = (copy / "README.md").read_text(encoding="utf-8").split("```")[1]
    lines = block.removeprefix("python\n").splitlines()
    code = [re.sub(r"^(.+?) +# (.+)$", r"assert \1 == (\2)", line) for line in lines]
    assert sum(line.startswith("assert ") for line in code) == 3
    subprocess.run([sys.executable, "-c", "\n".join(code)], cwd=copy, check=True)
