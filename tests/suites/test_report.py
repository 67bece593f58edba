"""The stream of records: who may report, and what happens if records are missing."""

import shlex
import sys
from pathlib import Path

import pytest

from orchestrator.models import CaseOutcome, SuiteOutcome
from orchestrator.suites.pytest.suite import PytestSuite
from orchestrator.suites.pytest.verdict import UNFINISHED_MESSAGE
from tests.sampling import leave_to_whole
from tests.suites.projects import PYTEST, run_suite, wrap_command, write

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
    assert (report.has_passed, report.complete) == (True, True)
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
    for suite in (PytestSuite(f"{PYTEST} tests", 60), PytestSuite(wrap_command("tests"), 60)):
        report = suite.run(project)
        assert (report.has_passed, report.complete, report.forged) == (True, True, ())
        assert [case.id for case in report.cases] == [f"{A}::test_x"]


def test_a_dead_worker_fails_the_case_that_it_ran(project: Path) -> None:
    write(project, tests__test_a="import os\ndef test_x(): os._exit(1)\ndef test_y(): pass\n")
    report = run_suite(project, "tests -p xdist -n 1")
    assert report.outcome is SuiteOutcome.FAILED
    (dead,) = report.failing
    assert (dead.id, dead.outcome) == (f"{A}::test_x", CaseOutcome.ERROR)
    assert dead.message.startswith(UNFINISHED_MESSAGE)


@pytest.mark.parametrize(
    "options",
    leave_to_whole(["-x", "--maxfail=1", "--sw-skip", "-x -p xdist -n 1", "--stepwise", "--lf"]),
)
def test_no_failure_prevents_other_cases_from_running(project: Path, options: str) -> None:
    write(
        project,
        tests__test_a="import not_there\n",
        tests__test_b="def test_x(): assert 0\ndef test_y(): assert 0\ndef test_z(): pass\n",
    )
    for _ in range(2):  # options that look at what failed in the run before
        report = run_suite(project, f"tests {options}")
        assert (report.outcome, report.complete) == (SuiteOutcome.FAILED, True)
        assert len(report.cases) == 4


def test_a_session_that_something_else_stopped_is_not_complete(project: Path) -> None:
    write(
        project,
        tests__conftest="""
            def pytest_runtest_logfinish(nodeid): session.shouldfail = "enough"
            def pytest_sessionstart(session): globals()["session"] = session
            """,
        tests__test_a="import os\ndef test_x(): assert 'RED' not in os.environ\ndef test_y(): 0\n",
    )
    report = run_suite(project)
    assert (report.outcome, report.complete) == (SuiteOutcome.CRASHED, False)
    assert report.message == "no result of 1 collected case: enough"
    red = PytestSuite(f"RED=1 {PYTEST} tests", 60).run(project)
    assert (red.outcome, red.complete, len(red.cases)) == (SuiteOutcome.FAILED, False, 1)


def test_a_session_that_is_stopped_while_it_collects_is_not_complete(project: Path) -> None:
    write(
        project,
        tests__conftest="""
            def pytest_collectreport(report):
                if report.failed: session.shouldfail = "enough"
            def pytest_sessionstart(session): globals()["session"] = session
            """,
        tests__test_a="import not_there\n",
        tests__test_b="def test_y(): pass\n",
    )
    assert not run_suite(project).complete


TWICE = {
    "tests__test_a": """
        import os
        def test_x(): assert os.environ["MODE"] == "b"
        def test_y(): pass
        """
}


@pytest.mark.parametrize(
    ("command", "failing"),
    [
        ("r=0; MODE=a {0} || r=$?; MODE=b {0}; exit $r", True),
        ("MODE=b {0}; MODE=a {0}", True),
        ("MODE=a {0} || MODE=b {0}", False),
    ],
)
def test_what_fails_in_one_of_several_sessions_fails_unless_the_command_is_green(
    project: Path, command: str, failing: bool
) -> None:
    write(project, **TWICE)
    report = PytestSuite(command.format(f"{PYTEST} tests"), 60).run(project)
    assert (report.has_passed, report.complete, len(report.cases)) == (not failing, True, 2)
    assert [case.id for case in report.failing] == ([f"{A}::test_x"] if failing else [])


def test_equal_ids_of_sessions_in_two_folders_are_two_cases(project: Path) -> None:
    for folder, text in (("one", "assert 0"), ("two", "pass")):
        write(project, **{f"{folder}__tests__test_a": f"def test_x(): {text}\n"})
        (project / folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    command = f"r=0; (cd one && {PYTEST}) || r=$?; (cd two && {PYTEST}); exit $r"
    report = PytestSuite(command, 60).run(project)
    assert [case.id for case in report.failing] == ["one/tests/test_a.py::test_x"]
    assert len(report.cases) == 2


@pytest.mark.parametrize("options", ["", "-p xdist -n 1"])
def test_a_case_whose_process_died_has_its_location(project: Path, options: str) -> None:
    write(
        project,
        tests__test_a="""
            import os, pytest
            @pytest.fixture
            def dead(): os._exit(1)
            class TestX:
                @pytest.mark.parametrize("x", ["a::b[c]"])
                def test_x(self, dead, x): pass
            """,
    )
    (dead,) = run_suite(project, f"tests {options}").failing
    assert (dead.id, dead.file) == (f"{A}::TestX::test_x[a::b[c]]", A)
    assert dead.function == f"{A}::TestX::test_x"


def test_a_case_without_a_result_is_reported_as_missing(project: Path) -> None:
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
    report = run_suite(project)
    assert (report.outcome, report.complete) == (SuiteOutcome.CRASHED, False)
    assert report.message == "no result of 1 collected case"


def test_a_line_without_the_nonce_is_not_a_record(project: Path) -> None:
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
    report = run_suite(project)
    assert report.forged == ("invalid records, not sent by the runner: 1",)


def test_where_a_skip_was_raised_is_reported(project: Path) -> None:
    write(
        project,
        product="import pytest\ndef work(): pytest.skip('later')\n",
        tests__test_a="import product\ndef test_x(): product.work()\ndef test_y(): pass\n",
    )
    skipped = run_suite(project).cases[0]
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
        (case,) = run_suite(project, f"tests {options}").failing
        assert [each.type for each in case.raised] == ["builtins.KeyError", "builtins.ValueError"]
        assert Path(case.raised[-1].files[-1]).name == "product.py"


def test_parameters_are_not_part_of_the_function(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import pytest
            @pytest.mark.parametrize("x", ["a::b[c]", "d]::e"])
            def test_x(x): pass
            """,
    )
    report = run_suite(project)
    assert {case.function for case in report.cases} == {f"{A}::test_x"}
    assert {case.file for case in report.cases} == {A}
