"""Judge a pytest run by its exit code and its records together.

Neither is enough alone. A test may end the process with code 0, and then the last record is
missing; `make` and plugins change the codes; `pytest || true` hides them; coverage limits fail a
run in which every case passed. The codes are those of `pytest.ExitCode`.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestrator.counts import format_count
from orchestrator.models import Case, CaseOutcome, SuiteOutcome
from orchestrator.suites.pytest.summary import LAST_LINE

_USAGE, _NO_TESTS = 4, 5

UNFINISHED_MESSAGE: Final = "the process ended while it ran"
"""Message of a case that was running when its process ended."""

PLUGIN: Final = "orchestrator_suite_plugin"

NOT_REACHED_MESSAGE: Final = "pytest did not report: the orchestrator's plugin did not reach it"
"""Message of a run in which pytest ran, judging by its output, but the plugin was not loaded."""

_RAN_PATTERN: Final = re.compile(
    rf"{LAST_LINE.pattern}|No module named '?{PLUGIN}|Error importing plugin \"{PLUGIN}"
)


class Verdict(NamedTuple):
    """The outcome of a run, and a message that explains it."""

    outcome: SuiteOutcome
    message: str = ""


@dataclass(frozen=True)
class Records:
    """The parts of pytest's records that determine the outcome."""

    started: bool = False
    """Whether the plugin was loaded."""
    configured: bool = False
    """Whether pytest had read its arguments and settings."""
    finished: bool = False
    """Whether each session that started sent its last record, and no record is missing."""
    missing: int = 0
    """The number of collected cases without a result."""
    stop_reason: str = ""
    """Why a session stopped before all cases had run, such as a limit or a plugin."""
    internal: str = ""
    """An error of pytest or of a plugin."""
    interrupted: bool = False
    """Whether the session was interrupted, by Ctrl-C or `pytest.exit`."""
    broken_conftest: bool = False
    """Whether a conftest file could not be imported."""


def judge_run(code: int, cases: tuple[Case, ...], records: Records, output: str = "") -> Verdict:
    """Judge a run that was not killed.

    Args:
        code: the command's exit code.
        cases: the cases that have ended.
        records: the records of the whole run.
        output: the command's output.
    """
    if not records.started and (code == 0 or _RAN_PATTERN.search(output)):
        return Verdict(SuiteOutcome.CRASHED, NOT_REACHED_MESSAGE)
    if records.internal or records.broken_conftest or not records.finished:
        return _judge_unfinished(code, records)
    if any(case.is_failing for case in cases):
        return _judge_failing(code, cases)
    if records.interrupted or records.missing:
        count = format_count(records.missing, "collected case")
        text = "interrupted" if records.interrupted else f"no result of {count}"
        return Verdict(SuiteOutcome.CRASHED, ": ".join(filter(None, (text, records.stop_reason))))
    return _judge_green(cases) if code == 0 else _judge_nonzero_exit(code, cases)


def _judge_unfinished(code: int, records: Records) -> Verdict:
    if records.broken_conftest:
        return Verdict(SuiteOutcome.COLLECTION_ERROR)
    if records.internal:
        return Verdict(SuiteOutcome.CRASHED, f"internal error of pytest: {records.internal}")
    # Once configured, pytest sends its last record even after a usage error.
    if code == _USAGE and not records.configured:
        return Verdict(SuiteOutcome.USAGE_ERROR)
    if code == _NO_TESTS and not records.started:
        return Verdict(SuiteOutcome.NO_TESTS)
    what = "before pytest had finished" if records.started else "and pytest did not report"
    return Verdict(SuiteOutcome.CRASHED, f"ended with {code} {what}")


def _judge_failing(code: int, cases: tuple[Case, ...]) -> Verdict:
    # A case that failed takes precedence over an exit code of 0.
    note = "" if code else "though the command ended with 0"
    ran = any(case.outcome in (CaseOutcome.PASSED, CaseOutcome.FAILED) for case in cases)
    if any(case.is_failing and case.collecting for case in cases) and not ran:
        return Verdict(SuiteOutcome.COLLECTION_ERROR, note)
    return Verdict(SuiteOutcome.FAILED, note)


def _judge_green(cases: tuple[Case, ...]) -> Verdict:
    if any(case.outcome is CaseOutcome.PASSED for case in cases):
        return Verdict(SuiteOutcome.PASSED)
    # A suite that skips everything has tested nothing, so it must not count as passed.
    return Verdict(SuiteOutcome.NO_TESTS, "every case was skipped" if cases else "")


def _judge_nonzero_exit(code: int, cases: tuple[Case, ...]) -> Verdict:
    if not cases:
        return Verdict(SuiteOutcome.USAGE_ERROR if code == _USAGE else SuiteOutcome.NO_TESTS)
    # The command failed for another reason: a coverage limit, warnings, a linter after `&&`.
    return Verdict(SuiteOutcome.FAILED, f"no case failed, but the command ended with {code}")
