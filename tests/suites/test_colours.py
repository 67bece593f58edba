"""What a suite reports is the same with colours as without."""

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.models import SuiteReport
from orchestrator.platform.escape_sequences import strip_escape_sequences
from orchestrator.suites.command_suite import CommandSuite
from orchestrator.suites.pytest.suite import PytestSuite
from tests.sampling import leave_to_whole
from tests.suites.projects import PYTEST, wrap_command, write

TEST = """
    import os
    def test_it():
        print("captured")
        assert {"a": 1} == {"a": 2}
"""


def run(project: Path, command: str, variables: Mapping[str, str]) -> SuiteReport:
    env = {name: value for name, value in os.environ.items() if name != "PY_COLORS"}
    report = PytestSuite(command, 60, lambda _: {**env, **variables}).run(project)
    cases = tuple(replace(case, seconds=0) for case in report.cases)
    return replace(report, cases=cases, seconds=0, output="", command="")


@pytest.mark.parametrize(
    ("variables", "options"),
    [
        ({"FORCE_COLOR": "1"}, ""),
        ({"PY_COLORS": "1"}, ""),
        ({"CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}, ""),
        ({"PYTEST_ADDOPTS": "--color=yes"}, ""),
        ({}, "--color=yes"),
    ],
)
@pytest.mark.parametrize("wrapped", leave_to_whole([False, True]))
def test_a_report_has_no_colours(
    project: Path, variables: dict[str, str], options: str, wrapped: bool
) -> None:
    write(project, tests__test_a=TEST)
    (project / "pytest.ini").write_text("[pytest]\naddopts = --color=yes\n", encoding="utf-8")
    command = wrap_command("tests/") if wrapped else f"{PYTEST} tests/"
    plain = run(project, command, {"NO_COLOR": "1"})
    assert "assert" in plain.cases[0].message
    command = wrap_command(f"tests/ {options}") if wrapped else f"{PYTEST} tests/ {options}"
    assert run(project, command, variables) == plain


def test_colours_that_a_test_prints_are_removed(project: Path) -> None:
    test = r"""
        def test_it():
            print("\x1b[1;31mred\x1b[0m \x1b]8;;http://a\x07link\x1b]8;;\x07")
            raise ValueError("#x1B[31mred#x1B[0m \x1b[38;5;9mred\x1b[K")
        """
    write(project, tests__test_a=test)
    report = PytestSuite(f"{PYTEST} tests/ -s", 60).run(project)
    (case,) = report.cases
    assert case.message == "ValueError: red red"
    assert "\x1b" not in case.detail + report.output
    assert "red link" in report.output


def test_a_command_prints_without_colours(project: Path) -> None:
    command = r"""printf '\033[31mred\033[0m [INFO] a[1m]\n'; false"""
    assert CommandSuite(command, 60).run(project).output == "red [INFO] a[1m]\n"


def test_only_escape_sequences_are_removed() -> None:
    text = "a[0m] #x1b x[31m] '\\x1b[31m'"
    assert strip_escape_sequences(text) == text
