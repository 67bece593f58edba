"""The stream of records: who may report, and what is missing."""

import shlex
import sys
from pathlib import Path

import pytest

from orchestrator.models import CaseOutcome, SuiteOutcome
from orchestrator.suites.pytest.running import PytestSuite
from orchestrator.suites.pytest.verdict import UNFINISHED
from tests.suites.projects import PYTEST, judge, wrapped, write

A = "tests/test_a.py"


def test_a_program_that_closes_the_pipe_is_bridged_by_a_file(project: Path) -> None:
    write(
        project,
        between="""
            import subprocess, sys
            sys.exit(subprocess.run([sys.executable, "-m", "pytest", "tests"]).returncode)
            """,
        tests__test_a="def test_x(): assert 0\n",
    )
    report = PytestSuite(shlex.join([sys.executable, "between.py"]), 60).run(project)
    assert (report.outcome, report.complete) == (SuiteOutcome.FAILED, True)
    assert [case.id for case in report.cases] == [f"{A}::test_x"]


def test_a_command_that_runs_pytest_twice_reports_both(project: Path) -> None:
    write(project, tests__test_a="def test_x(): pass\n", tests__test_b="def test_y(): pass\n")
    report = PytestSuite(f"{PYTEST} {A} && {PYTEST} tests/test_b.py", 60).run(project)
    assert (report.passed, report.complete) == (True, True)
    assert len(report.cases) == 2


def test_a_pytest_that_a_test_starts_does_not_report(project: Path) -> None:
    write(
        project,
        inner__test_i="def test_i(): pass\n",
        tests__test_a="""
            import subprocess, sys
            def test_x():
                assert not subprocess.run([sys.executable, "-m", "pytest", "inner"]).returncode
            """,
    )
    for suite in (PytestSuite(f"{PYTEST} tests", 60), PytestSuite(wrapped("tests"), 60)):
        report = suite.run(project)
        assert (report.passed, report.complete, report.forged) == (True, True, ())
        assert [case.id for case in report.cases] == [f"{A}::test_x"]


def test_a_dead_worker_fails_the_case_that_it_ran(project: Path) -> None:
    write(project, tests__test_a="import os\ndef test_x(): os._exit(1)\ndef test_y(): pass\n")
    report = judge(project, "tests -p xdist -n 1")
    assert report.outcome is SuiteOutcome.FAILED
    (dead,) = report.failing
    assert (dead.id, dead.outcome) == (f"{A}::test_x", CaseOutcome.ERROR)
    assert dead.message.startswith(UNFINISHED)


@pytest.mark.parametrize("options", ["-x", "--maxfail=1"])
def test_a_session_that_was_told_to_stop_is_complete(project: Path, options: str) -> None:
    write(project, tests__test_a="def test_x(): assert 0\ndef test_y(): pass\n")
    report = judge(project, f"tests {options}")
    assert (report.outcome, report.complete, len(report.cases)) == (SuiteOutcome.FAILED, True, 1)


def test_a_case_without_a_result_is_missed(project: Path) -> None:
    write(
        project,
        tests__conftest="""
            def pytest_runtestloop(session):
                for item in session.items[:1]:
                    item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
                return True
            """,
        tests__test_a="def test_x(): pass\ndef test_y(): assert 0\n",
    )
    report = judge(project)
    assert (report.outcome, report.complete) == (SuiteOutcome.CRASHED, False)
    assert report.message == "no result of 1 collected case"


def test_a_line_without_the_nonce_is_no_record(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import os, stat
            def test_x():
                for number in range(3, 64):
                    try:
                        if stat.S_ISFIFO(os.fstat(number).st_mode): os.write(number, b"{}\\n")
                    except OSError:
                        pass
            """,
    )
    report = judge(project)
    assert report.forged == ("1 records that the runner did not send",)


def test_where_a_skip_was_raised_is_reported(project: Path) -> None:
    write(
        project,
        product="import pytest\ndef work(): pytest.skip('later')\n",
        tests__test_a="import product\ndef test_x(): product.work()\ndef test_y(): pass\n",
    )
    skipped = judge(project).cases[0]
    assert skipped.outcome is CaseOutcome.SKIPPED
    assert [Path(each).name for each in skipped.raised[-1].files] == ["test_a.py", "product.py"]


def test_a_chain_of_exceptions_has_its_cause_first(project: Path) -> None:
    write(
        project,
        product="""
            def work():
                try:
                    {}["x"]
                except KeyError as error:
                    raise ValueError("no") from error
            """,
        tests__test_a="import product\ndef test_x(): product.work()\n",
    )
    for options in ("", "-p xdist -n 1", "--tb=line", "--tb=native"):
        (case,) = judge(project, f"tests {options}").failing
        assert [each.type for each in case.raised] == ["builtins.KeyError", "builtins.ValueError"]
        assert Path(case.raised[-1].files[-1]).name == "product.py"


def test_parameters_are_no_part_of_the_function(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import pytest
            @pytest.mark.parametrize("x", ["a::b[c]", "d]::e"])
            def test_x(x): pass
            """,
    )
    report = judge(project)
    assert {case.function for case in report.cases} == {f"{A}::test_x"}
    assert {case.file for case in report.cases} == {A}
