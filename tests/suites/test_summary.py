"""The last line of pytest, and similar lines of other tools."""

import pytest

from orchestrator.models import SuiteOutcome
from orchestrator.suites.pytest.summary import COUNTS, LAST_LINE
from orchestrator.suites.pytest.verdict import NOT_REACHED_MESSAGE, Records, judge_run


@pytest.mark.parametrize(
    "line",
    [
        "2 passed in 0.01s",
        "==== 1 failed, 2 passed, 1 warning in 65.12s (0:01:05) ====",
        "\x1b[31m\x1b[1m1 error\x1b[0m\x1b[31m in 0.12s\x1b[0m",
        "=== 3 skipped in 0.20 seconds ===",
    ],
)
def test_pytests_own_line(line: str) -> None:
    assert LAST_LINE.search(line)
    assert judge_run(1, (), Records(), line).message == NOT_REACHED_MESSAGE


@pytest.mark.parametrize(
    "line",
    [
        "Found 5 errors in 2 files (checked 30 source files)",
        "1 error generated in 3 places",
        "12 passed, 1 failed",
    ],
)
def test_a_line_of_another_tool(line: str) -> None:
    assert COUNTS.search(line)
    assert not LAST_LINE.search(line)
    assert judge_run(1, (), Records(), line).outcome is SuiteOutcome.CRASHED
    assert judge_run(1, (), Records(), line).message == "ended with 1 and pytest did not report"
