"""The verdict on real pytest runs, one by one."""

from pathlib import Path

import psutil
import pytest

from orchestrator.models import CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.platform.process_tree import MARK
from orchestrator.suites.command_line import OUTPUT_BOUND
from orchestrator.suites.pytest.suite import PytestSuite
from orchestrator.suites.pytest.verdict import UNFINISHED_MESSAGE
from tests.suites.projects import PYTEST, run_suite, wrap_command, write

A = "tests/test_a.py"


def outcomes(report: SuiteReport) -> dict[str, str]:
    return {case.id: case.outcome.value for case in report.cases}


def test_failed_and_passed_cases_are_distinguished(project: Path) -> None:
    write(project, tests__test_a="def test_x(): assert 1 == 2\ndef test_y(): pass\n")
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.FAILED, 1)
    assert outcomes(report) == {f"{A}::test_x": "failed", f"{A}::test_y": "passed"}
    assert report.failing[0].message == "assert 1 == 2"
    assert f"{A}:1: in test_x" in report.failing[0].detail
    assert report.summary == "1 passed, 1 failed"


def test_a_syntax_error_hides_no_other_case(project: Path) -> None:
    write(project, tests__test_a="def test_x( assert 1\n", tests__test_b="def test_y(): pass\n")
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.FAILED, 1)
    assert outcomes(report) == {A: "error", "tests/test_b.py::test_y": "passed"}
    assert "SyntaxError" in report.failing[0].message
    assert report.failing[0].collecting
    assert report.failing[0].raised[-1].type == "builtins.SyntaxError"
    assert report.complete


def test_an_import_error_is_a_collection_error(project: Path) -> None:
    write(project, tests__test_a="import not_there\n")
    report = run_suite(project)
    assert report.outcome is SuiteOutcome.COLLECTION_ERROR
    assert report.has_verdict
    assert "No module named 'not_there'" in report.failing[0].message


@pytest.mark.parametrize("text", ["import not_there\n", "def broken( \n"])
def test_a_broken_conftest_is_a_collection_error(project: Path, text: str) -> None:
    """pytest calls it a usage error, but it is the code that is broken."""
    write(project, tests__conftest=text, tests__test_a="def test_x(): pass\n")
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.COLLECTION_ERROR, 4)
    assert outcomes(report) == {"tests/conftest.py": "error"}
    assert "Error: " in report.failing[0].message


def test_one_broken_module_of_several_that_ran_is_a_failure(project: Path) -> None:
    write(project, tests__test_a="import not_there\n", tests__test_b="def test_y(): pass\n")
    report = run_suite(project, "tests/ --continue-on-collection-errors")
    assert report.outcome is SuiteOutcome.FAILED
    assert report.summary == "1 passed, 1 error"


def test_no_tests(project: Path) -> None:
    write(project, tests__helper="")
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.NO_TESTS, 5)
    assert not report.has_verdict


def test_a_suite_that_skips_everything_is_not_green(project: Path) -> None:
    write(
        project,
        tests__test_a="import pytest\n@pytest.mark.skip(reason='later')\ndef test_x(): assert 0\n",
    )
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.NO_TESTS, 0)
    assert report.message == "every case was skipped"


@pytest.mark.parametrize("arguments", ["tests/ --no-such-option", "no_such_folder/ -v"])
def test_a_usage_error(project: Path, arguments: str) -> None:
    write(project, tests__test_a="def test_x(): pass\n")
    report = run_suite(project, arguments)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.USAGE_ERROR, 4)
    assert "no" in report.output


def test_a_runner_that_ends_with_0_before_its_report_is_not_green(project: Path) -> None:
    write(project, tests__test_a="import os\ndef test_x(): pass\ndef test_y(): os._exit(0)\n")
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.CRASHED, 0)
    assert (
        report.message == f"ended with 0 before pytest had finished, while {A}::test_y was running"
    )
    assert outcomes(report) == {f"{A}::test_x": "passed", f"{A}::test_y": "error"}
    assert (report.complete, report.running) == (False, f"{A}::test_y")


def test_a_conftest_that_sets_the_exit_code_to_0_does_not_make_it_green(project: Path) -> None:
    write(
        project,
        tests__conftest="def pytest_sessionfinish(session): session.exitstatus = 0\n",
        tests__test_a="def test_x(): assert 0\n",
    )
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.FAILED, 0)


def test_a_segmentation_fault_has_its_name(project: Path) -> None:
    write(project, tests__test_a="import ctypes\ndef test_x(): ctypes.string_at(0)\n")
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.CRASHED, -11)
    assert report.message == f"ended by SIGSEGV, while {A}::test_x was running"


def test_an_exit_in_a_test_fails_that_test_only(project: Path) -> None:
    write(project, tests__test_a="import sys\ndef test_x(): sys.exit(0)\ndef test_y(): pass\n")
    report = run_suite(project)
    assert outcomes(report) == {f"{A}::test_x": "failed", f"{A}::test_y": "passed"}


def test_an_exit_in_an_imported_module_is_no_verdict(project: Path) -> None:
    write(project, tests__test_a="import sys\nsys.exit(0)\n")
    report = run_suite(project)
    assert report.outcome is SuiteOutcome.CRASHED
    assert "SystemExit" in report.failing[0].detail


def test_an_interrupted_run_is_no_verdict(project: Path) -> None:
    write(
        project,
        tests__test_a="def test_x(): pass\ndef test_y(): raise KeyboardInterrupt\n",
    )
    report = run_suite(project)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.CRASHED, 2)


def test_a_timeout_ends_everything_that_the_tests_started(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import pathlib, subprocess
            def test_x(): pass
            def test_y():
                child = subprocess.Popen(["sleep", "infinity"], start_new_session=True)
                pathlib.Path("pid").write_text(str(child.pid))
                child.wait()  # which nobody but the timeout ends
            """,
    )
    noted, seconds = project / "pid", 2
    report = run_suite(project, seconds=seconds)
    while not (noted.exists() and noted.read_text(encoding="utf-8")):
        seconds *= 2  # on a busy machine, the time was over before the tests began
        report = run_suite(project, seconds=seconds)
    assert (report.outcome, report.exit_code) == (SuiteOutcome.TIMEOUT, None)
    assert report.message == (
        f"ended after {seconds} seconds (tests.timeout), while {A}::test_y was running"
    )
    assert outcomes(report) == {f"{A}::test_x": "passed", f"{A}::test_y": "error"}
    assert report.failing[0].message == UNFINISHED_MESSAGE
    assert not _alive(int(noted.read_text(encoding="utf-8")))


def test_a_green_suite_leaves_nothing_running(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import pathlib, subprocess
            def test_x():
                global child  # collected with the test, it would warn
                child = subprocess.Popen(["sleep", "600"], start_new_session=True)
                pathlib.Path("pid").write_text(str(child.pid))
            """,
    )
    assert run_suite(project).has_passed
    assert not _alive(int((project / "pid").read_text(encoding="utf-8")))


def _alive(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and MARK in process.environ()
    except psutil.Error:
        return False


def test_output_that_is_not_utf8_remains_readable(project: Path) -> None:
    write(
        project,
        tests__test_a=r"""
            import os
            def test_x():
                os.write(1, b"caf\xe9 \xff\n")
                assert "caf" == "\udce9 \x00 \x1b[31m"
            """,
    )
    report = run_suite(project, "tests/ -v -s")
    assert report.outcome is SuiteOutcome.FAILED
    assert "caf\N{REPLACEMENT CHARACTER}" in report.output
    report.output.encode("utf-8")
    report.failing[0].detail.encode("utf-8")


def test_only_the_end_of_long_output_is_stored(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import os
            def test_x():
                line = b"x" * 1_000_000 + b"\\n"
                for _ in range(50):
                    os.write(1, line)
                assert 0, "y" * 1_000_000
            """,
    )
    report = run_suite(project, "tests/ -v -s")
    assert report.outcome is SuiteOutcome.FAILED
    assert 0 < len(report.output) <= OUTPUT_BOUND
    assert "1 failed" in report.output
    assert len(report.failing[0].detail) < 25_000
    assert len(report.failing[0].message) <= 2_000


def test_a_case_that_fails_twice_is_one_case(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import pytest
            @pytest.fixture
            def late():
                yield
                raise ValueError("late")
            @pytest.fixture
            def early():
                raise ValueError("early")
            def test_x(late): assert 0
            def test_y(late): pass
            def test_z(early): pass
            """,
    )
    report = run_suite(project)
    assert outcomes(report) == {
        f"{A}::test_x": "failed",
        f"{A}::test_y": "error",
        f"{A}::test_z": "error",
    }
    assert "assert 0" in report.failing[0].message
    assert "late" in report.failing[0].message


def test_expected_failures_do_not_count_against_the_code(project: Path) -> None:
    write(
        project,
        tests__test_a="""
            import pytest
            @pytest.mark.xfail
            def test_x(): assert 0
            def test_y(): pass
            """,
    )
    report = run_suite(project)
    assert report.has_passed
    assert report.cases[0].outcome is CaseOutcome.SKIPPED


class TestWrappers:
    """Commands that are not pytest itself: the report tells what their exit codes hide."""

    @pytest.fixture
    def red(self, project: Path) -> Path:
        write(project, tests__test_a="def test_x(): assert 0\ndef test_y(): pass\n")
        return project

    @pytest.mark.parametrize(
        ("command", "code"),
        [
            (f"{PYTEST} tests/ || true", 0),
            (f"{PYTEST} tests/; true", 1),
            (f"cd tests && {PYTEST} -q", 1),
            (f"{PYTEST} -q > log.txt 2>&1", 1),
            (wrap_command("tests/"), 1),
        ],
    )
    def test_a_shell_line(self, red: Path, command: str, code: int) -> None:
        report = PytestSuite(command, 60).run(red)
        assert (report.outcome, report.exit_code) == (SuiteOutcome.FAILED, code)
        assert outcomes(report) == {f"{A}::test_x": "failed", f"{A}::test_y": "passed"}

    def test_make_turns_1_into_2(self, red: Path) -> None:
        (red / "Makefile").write_text(f"check:\n\t{PYTEST} tests/\n", encoding="utf-8")
        report = PytestSuite("make check", 60).run(red)
        assert (report.outcome, report.exit_code) == (SuiteOutcome.FAILED, 2)
        assert [case.id for case in report.failing] == [f"{A}::test_x"]

    def test_make_without_tests(self, project: Path) -> None:
        (project / "Makefile").write_text(f"check:\n\t{PYTEST}\n", encoding="utf-8")
        assert PytestSuite("make check", 60).run(project).outcome is SuiteOutcome.NO_TESTS

    def test_a_linter_behind_the_tests_says_no(self, red: Path) -> None:
        report = PytestSuite(f"{PYTEST} -k test_y && false", 60).run(red)
        assert report.outcome is SuiteOutcome.FAILED
        assert report.message == "no case failed, but the command ended with 1"

    def test_a_command_that_never_calls_pytest_is_not_green(self, red: Path) -> None:
        report = PytestSuite("true", 60).run(red)
        assert (report.outcome, report.exit_code) == (SuiteOutcome.CRASHED, 0)
        assert "pytest did not report" in report.message

    def test_options_that_stand_in_the_environment_stay(
        self, red: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("PYTEST_ADDOPTS", "-k test_y")
        assert PytestSuite(f"{PYTEST} tests/", 60).run(red).has_passed
        assert PytestSuite(wrap_command("tests/"), 60).run(red).has_passed

    def test_assignments_in_front(self, red: Path) -> None:
        assert PytestSuite(f"PYTEST_ADDOPTS='-k test_y' {PYTEST}", 60).run(red).has_passed
        assert PytestSuite(f"PYTEST_ADDOPTS='-k test_y' {wrap_command()}", 60).run(red).has_passed

    def test_the_users_own_report_does_not_replace_our_records(self, red: Path) -> None:
        report = PytestSuite(f"{PYTEST} tests/ --junitxml=mine.xml --junitprefix=p", 60).run(red)
        assert [case.id for case in report.failing] == [f"{A}::test_x"]
