"""Runs of tests are recognized, judged by what they print, and seen through what hides them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.calls.suite_runs import (
    Runner,
    SuiteRun,
    Verdict,
    judge_call,
    judge_command,
)
from orchestrator.sessions.models import Denial
from tests.sessions.tool_calls import bash, failed, make_call

RED, GREEN, UNKNOWN = Verdict.RED, Verdict.GREEN, Verdict.UNKNOWN


def judge(command: str, result: str = "", *, error: bool = False) -> SuiteRun:
    run = judge_command(command, result, is_error=error)
    assert run is not None
    return run


OUTPUTS = (
    ("pytest -q", Runner.PYTEST, "FAILED tests/test_a.py::test_b\n1 failed, 2 passed in 0.1s", RED),
    ("pytest", Runner.PYTEST, "===== 3 passed, 1 warning in 0.10s =====", GREEN),
    ("pytest", Runner.PYTEST, "===== 1 error in 0.10s =====", RED),
    ("pytest", Runner.PYTEST, "===== no tests ran in 0.10s =====", UNKNOWN),
    (
        "python -m pytest a",
        Runner.PYTEST,
        "E   ImportError: x\n!!!! Interrupted: 1 error during collection",
        RED,
    ),
    ("python3 -m unittest", Runner.UNITTEST, "Ran 2 tests in 0.1s\n\nFAILED (failures=1)", RED),
    ("python manage.py test", Runner.UNITTEST, "Ran 2 tests in 0.1s\n\nOK", GREEN),
    (
        "go test ./...",
        Runner.GO,
        "ok  \tx/a\t0.1s\n--- FAIL: TestA (0.0s)\nFAIL\tx/b\t0.1s\nFAIL",
        RED,
    ),
    ("go test ./...", Runner.GO, "?   \tx\t[no test files]\nok  \tx/a\t(cached)", GREEN),
    ("go test ./...", Runner.GO, "FAIL\tx [build failed]", RED),
    (
        "go test -run X",
        Runner.GO,
        "testing: warning: no tests to run\nPASS\nok  \tx\t0.1s [no tests to run]",
        UNKNOWN,
    ),
    (
        "npx jest",
        Runner.JEST,
        "Test Suites: 1 failed, 2 total\nTests:       1 failed, 3 passed, 4 total",
        RED,
    ),
    ("npx jest", Runner.JEST, "Tests:       3 passed, 3 total", GREEN),
    (
        "npx vitest run",
        Runner.VITEST,
        " Test Files  1 failed (1)\n      Tests  1 failed | 3 passed (4)",
        RED,
    ),
    (
        "pnpm exec vitest",
        Runner.VITEST,
        " Test Files  1 passed (1)\n      Tests  3 passed (3)",
        GREEN,
    ),
    ("npx mocha", Runner.MOCHA, "  3 passing (12ms)\n  1 failing\n\n  1) a", RED),
    ("npx mocha", Runner.MOCHA, "  3 passing (12ms)\n", GREEN),
    ("node --test", Runner.NODE, "\N{INFORMATION SOURCE} fail 1", RED),
    ("node --test", Runner.NODE, "# pass 3\n# fail 0", GREEN),
    ("cargo test", Runner.CARGO, "test result: FAILED. 1 passed; 1 failed; 0 ignored", RED),
    ("cargo test", Runner.CARGO, "test result: ok. 2 passed; 0 failed; 0 ignored", GREEN),
    ("cargo test", Runner.CARGO, "error: could not compile `a` (lib)", RED),
    (
        "cargo nextest run",
        Runner.CARGO,
        "     Summary [   0.1s] 2 tests run: 1 passed, 1 failed",
        RED,
    ),
    ("bundle exec rspec", Runner.RSPEC, "3 examples, 1 failure", RED),
    ("rspec", Runner.RSPEC, "3 examples, 0 failures", GREEN),
    ("vendor/bin/phpunit", Runner.PHPUNIT, "FAILURES!\nTests: 3, Assertions: 3, Failures: 1.", RED),
    ("phpunit", Runner.PHPUNIT, "OK (3 tests, 3 assertions)", GREEN),
    ("./gradlew test", Runner.GRADLE, "> Task :test FAILED\n\nBUILD FAILED in 3s", RED),
    ("gradle check", Runner.GRADLE, "BUILD SUCCESSFUL in 3s", GREEN),
    ("mvn -q test", Runner.MAVEN, "[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 0", RED),
    (
        "mvn verify",
        Runner.MAVEN,
        "Tests run: 3, Failures: 0, Errors: 0\n[INFO] BUILD SUCCESS",
        GREEN,
    ),
    ("ctest", Runner.CTEST, "67% tests passed, 1 tests failed out of 3", RED),
    ("ctest", Runner.CTEST, "100% tests passed, 0 tests failed out of 3", GREEN),
    ("dotnet test", Runner.DOTNET, "Failed!  - Failed:     1, Passed:     2", RED),
    ("dotnet test", Runner.DOTNET, "Passed!  - Failed:     0, Passed:     3", GREEN),
    (
        "make test",
        Runner.PYTEST,
        "pytest\n1 failed, 2 passed in 0.1s\nmake: *** [Makefile:2: test] Error 1",
        RED,
    ),
    ("mise run test:ci", Runner.GO, "[test:ci] $ go test\n[test:ci] ok  \tx/a\t0.1s", GREEN),
    ("mise run test", Runner.OTHER, "[test] ERROR task failed", RED),
    ("npm test", Runner.JEST, "Tests:       1 failed, 3 passed, 4 total", RED),
    ("npm run test:unit", Runner.VITEST, "      Tests  3 passed (3)", GREEN),
    ("npm test", Runner.OTHER, 'npm error Missing script: "test"', UNKNOWN),
    ("./scripts/run_tests.sh", Runner.UNITTEST, "Ran 2 tests in 0.1s\n\nFAILED (errors=1)", RED),
)


@pytest.mark.parametrize(("command", "runner", "output", "verdict"), OUTPUTS)
def test_an_output_is_judged_though_the_exit_code_is_hidden(
    command: str, runner: Runner, output: str, verdict: Verdict
) -> None:
    run = judge(f"{command} 2>&1 | tail -40", output)

    assert (run.verdict, run.is_hidden, run.hidden_by) == (verdict, True, "| tail")
    assert run.runner is runner


@pytest.mark.parametrize(
    "command",
    [
        "git commit -m 'run pytest'",
        "grep -rn 'go test' .",
        "go test -c ./x",
        "pytest --collect-only",
        "npm run lint",
        "cat test.log | grep FAIL",
        "go build ./... && mise run lint",
        "ls tests",
        "mvn install -DskipTests",
        "pip install pytest",
        "cat <<E\npytest\nE",
        "test -f a",
        "git diff a_test.go",
        "make build",
        "echo pytest",
    ],
)
def test_what_is_no_run_of_tests(command: str) -> None:
    assert judge_command(command, "FAILED", is_error=True) is None


@pytest.mark.parametrize(
    ("command", "hidden_by"),
    [
        ("pytest | tail -3", "| tail"),
        ("pytest; echo done", "; echo"),
        ("pytest || true", "|| true"),
        ("pytest && echo ok || echo bad", "|| echo"),
        ("pytest &", "&"),
        ("! pytest", "!"),
        ("if pytest; then echo ok; fi", "if"),
        ("cd a && pytest 2>&1 | tee log", "| tee"),
        ("pytest; exit 0", "; exit 0"),
        ("pytest\necho $?", "; echo"),
        ("(cd a && pytest) | cat", "| cat"),
        ("pytest > log; tail log", "; tail"),
        ("set -o pipefail; pytest | tail; echo", "; echo"),
        ("pytest", ""),
        ("a; pytest", ""),
        ("pytest && echo ok", ""),
        ("set -o pipefail; pytest | tail", ""),
        ("pytest | tail; exit ${PIPESTATUS[0]}", ""),
        ("pytest || exit 1", ""),
        ("set -e; pytest; ls", ""),
        ("pytest; exit $?", ""),
        ("pytest a || pytest b", ""),
        ("rc=0; pytest -q", ""),
        ("timeout 9 pytest 2>&1", ""),
    ],
)
def test_what_hides_the_exit_code(command: str, hidden_by: str) -> None:
    run = judge(command)

    assert (run.hidden_by, run.is_hidden) == (hidden_by, bool(hidden_by))


def test_the_flag_counts_where_it_is_that_of_the_tests() -> None:
    assert judge("cd a && pytest", "", error=False).verdict is GREEN
    assert judge("pytest", "Exit code 1\n", error=True).verdict is RED
    assert judge("go test ./...", "Exit code 1\nok  \tx\t1s\n[cut]", error=True).verdict is RED


def test_the_flag_does_not_count_where_another_part_may_have_failed() -> None:
    assert judge("pytest && npm run lint", "3 passed in 1s\nlint!", error=True).verdict is GREEN
    assert judge("npm run lint && pytest", "Exit code 1\nlint!", error=True).verdict is UNKNOWN


@pytest.mark.parametrize(
    ("code", "output"),
    [
        (127, "pytest: command not found"),
        (137, "3 passed in 1s"),
        (4, "usage"),
        (5, "no tests ran"),
    ],
)
def test_a_run_that_did_not_come_to_its_end_has_no_verdict(code: int, output: str) -> None:
    assert judge("pytest", f"Exit code {code}\n{output}", error=True).verdict is UNKNOWN


def test_an_output_that_was_cut_before_its_end_is_not_green() -> None:
    lines = "\n".join(f"--- PASS: Test{n}" for n in range(10))

    assert judge("go test -v | head -10", lines).verdict is UNKNOWN
    assert judge("go test -v | head -50", lines).verdict is GREEN
    assert judge("go test -v | grep PASS", lines).verdict is UNKNOWN
    assert judge("go test -v | grep -E 'PASS|FAIL'", lines).verdict is GREEN


def test_an_exit_code_that_the_command_prints_counts() -> None:
    assert judge("npm test > log; echo exit: $?", "exit: 1").verdict is RED
    assert judge("npm test > log; echo exit: $?", "exit: 0").verdict is GREEN


def test_calls_that_were_not_carried_out_are_no_runs() -> None:
    assert judge_call(make_call("Bash", "no", denial=Denial.REJECTED, command="pytest")) is None
    assert judge_call(make_call("Read", command="pytest")) is None
    stopped = judge_call(make_call("Bash", "ok", denial=Denial.INTERRUPTED, command="pytest"))
    assert stopped is not None
    assert (stopped.verdict, stopped.is_hidden) == (UNKNOWN, False)
    background = judge_call(make_call("Bash", "x", command="pytest", run_in_background=True))
    assert background is not None
    assert background.verdict is UNKNOWN
    killed = judge_call(bash("pytest", None))
    assert killed is not None
    assert killed.verdict is UNKNOWN


def test_a_failed_call_is_read_with_its_exit_code() -> None:
    run = judge_call(failed("pytest", "1 failed in 0.1s"))

    assert run is not None
    assert (run.verdict, run.command) == (RED, "pytest")


@given(st.sampled_from(OUTPUTS), st.sampled_from(["| tail -99", "| cat", "; echo done", "|| true"]))
def test_the_verdict_does_not_depend_on_what_hides_it(
    row: tuple[str, Runner, str, Verdict], hiding: str
) -> None:
    command, _, output, verdict = row

    assert judge(f"{command} {hiding}", f"{output}\n").verdict is verdict


@pytest.mark.parametrize(
    "piece", ["a", "(", "1", "=", " ", "\n", "\n=", "1 failed, ", "\n[", "Tests: 1"]
)
@pytest.mark.parametrize("command", ["make test", "pytest", "go test | head", "npx jest; echo $?"])
def test_a_megabyte_of_one_piece_is_judged(piece: str, command: str) -> None:
    judge(command, piece * (1_000_000 // len(piece)))
