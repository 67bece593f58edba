"""The case that failed is named, by each runner in its own way."""

import pytest

from orchestrator.sessions.calls.error_lines import find_error_line, normalize_line
from orchestrator.sessions.calls.suite_outputs import Runner, cut_output, find_failed_case

TESTIFY = """--- FAIL: TestA (0.00s)
    a_test.go:12:
        \tError Trace:\t/w/a_test.go:12
        \t            \t/w/b_test.go:7
        \tError:      \tShould be true
        \tTest:       \tTestA
FAIL
"""
PYTEST = """E       assert 2 == 3

test_cart.py:5: AssertionError
=========================== short test summary info ============================
FAILED test_cart.py::test_total - assert 2 == 3
"""
CASES = (
    (Runner.GO, TESTIFY, "--- FAIL: TestA (<number>)"),
    (Runner.GO, "[test] --- FAIL: TestA (0.1s)", "--- FAIL: TestA (<number>)"),
    (Runner.GO, "=== FAIL: cart TestA (0.00s)\n  a_test.go:8: got 2", "=== FAIL: cart TestA"),
    (Runner.PYTEST, PYTEST, "FAILED <path>::test_total - assert <number> == <number>"),
    (Runner.UNITTEST, "FAIL: test_b (a.B.test_b)\nAssertionError", "FAIL: test_b (a.B.test_b)"),
    (Runner.JEST, "FAIL src/a.test.js\n  \u25cf cart \u203a totals\n", "\u25cf cart \u203a totals"),
    (Runner.VITEST, " FAIL  src/a.test.ts > totals\nAssertionError", "FAIL <path> > totals"),
    (Runner.MOCHA, "  cart\n    1) totals\n\n  1 failing\n", "<number>) totals"),
    (Runner.NODE, "not ok 1 - totals\n  error: |-\n", "not ok <number> - totals"),
    (Runner.CARGO, "test tests::total ... FAILED\nerror: x", "test tests::total ... FAILED"),
    (
        Runner.RSPEC,
        "Failed examples:\nrspec ./a_spec.rb:4 # Cart a",
        "rspec <path>:<number> # Cart",
    ),
    (Runner.PHPUNIT, "1) CartTest::testTotal\nFailed", "<number>) CartTest::testTotal"),
    (Runner.GRADLE, "CartTest > totals() FAILED\n  x", "CartTest > totals() FAILED"),
    (Runner.MAVEN, "[ERROR] a.CartTest.totals -- Time elapsed: 0.01 s", "a.CartTest.totals --"),
    (Runner.CTEST, "tests FAILED:\n\t  2 - totals (Failed)", "<number> - totals (Failed)"),
    (Runner.DOTNET, "  Failed CartTests.Totals [2 ms]\n", "Failed CartTests.Totals"),
)


@pytest.mark.parametrize(("runner", "output", "key"), CASES)
def test_the_case_that_failed_is_named(runner: Runner, output: str, key: str) -> None:
    case = find_failed_case(cut_output(output), runner)
    assert normalize_line(case).startswith(key)


@pytest.mark.parametrize("runner", Runner)
def test_an_output_without_a_case_names_none(runner: Runner) -> None:
    assert (
        find_failed_case(cut_output("a.go:9:2: undefined: x\nFAIL\tshop [build failed]"), runner)
        == ""
    )


@pytest.mark.parametrize(
    ("output", "line"),
    [
        (TESTIFY, "Error:      \tShould be true"),
        (PYTEST, "FAILED test_cart.py::test_total - assert 2 == 3"),
        ("not ok 1 - a\n  error: |-\n    cannot add\n", "cannot add"),
        ("=== Failed\n=== FAIL: a TestA (0.0s)\n  a_test.go:8: got 2", "a_test.go:8: got 2"),
    ],
)
def test_what_every_failed_test_says_is_not_what_went_wrong(output: str, line: str) -> None:
    assert find_error_line(cut_output(output)) == line


@pytest.mark.parametrize("runner", Runner)
@pytest.mark.parametrize("piece", ["\n", "a", "a.", "\na.", "\n1) ", "\n[a] ", "\nFAIL  ", "a > "])
def test_a_megabyte_of_one_piece_is_read(runner: Runner, piece: str) -> None:
    find_failed_case(cut_output(piece * (1_000_000 // len(piece))), runner)
