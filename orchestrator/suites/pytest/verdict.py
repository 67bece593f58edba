"""The verdict on a pytest run, from its exit code and its own records together.

Neither is enough alone. A runner that dies with code 0 sends no last record; `make` and plugins
change the codes; `pytest || true` hides them; coverage limits fail a run in which every case
passed. The codes are those of `pytest.ExitCode`.
"""

import re
from dataclasses import dataclass
from typing import Final, NamedTuple

from orchestrator.models import Case, CaseOutcome, SuiteOutcome
from orchestrator.suites.pytest.summary import LAST_LINE

_USAGE, _NO_TESTS = 4, 5

UNFINISHED_MESSAGE: Final = "the process ended while it ran"
"""Message of a case that had begun when its process died."""

PLUGIN: Final = "orchestrator_suite_plugin"

NOT_REACHED_MESSAGE: Final = "pytest did not report: the orchestrator's plugin did not reach it"
"""Message of a run in which pytest ran, as far as can be seen, and our plugin did not."""

_RAN_PATTERN: Final = re.compile(
    rf"{LAST_LINE.pattern}|No module named '?{PLUGIN}|Error importing plugin \"{PLUGIN}"
)


class Verdict(NamedTuple):
    """What a run came to, and what the outcome alone does not tell."""

    outcome: SuiteOutcome
    message: str = ""


@dataclass(frozen=True)
class Records:
    """What pytest said itself, as far as it decides the outcome."""

    started: bool = False
    """Whether our plugin was loaded at all."""
    configured: bool = False
    """Whether pytest had read its arguments and settings."""
    finished: bool = False
    """Whether each session that started sent its last record, and nothing is missing between."""
    missing: int = 0
    """Collected cases without an end."""
    stop_reason: str = ""
    """Why a session stopped before all cases had run: by a limit, or by a plugin."""
    internal: str = ""
    """An error of pytest or of a plugin."""
    interrupted: bool = False
    """Whether the session was broken off, by Ctrl-C or `pytest.exit`."""
    broken_conftest: bool = False
    """Whether a conftest file could not be imported."""


def judge_run(code: int, cases: tuple[Case, ...], records: Records, output: str = "") -> Verdict:
    """Judge a run that ended by itself.

    Args:
        code: the command's exit code.
        cases: what the records say of each.
        records: what they say of the whole.
        output: what the command printed.
    """
    if not records.started and (code == 0 or _RAN_PATTERN.search(output)):
        return Verdict(SuiteOutcome.CRASHED, NOT_REACHED_MESSAGE)
    if records.internal or records.broken_conftest or not records.finished:
        return _judge_unfinished(code, records)
    if any(case.is_failing for case in cases):
        return _judge_failing(code, cases)
    if records.interrupted or records.missing:
        count = f"{records.missing} collected case{'s' if records.missing > 1 else ''}"
        text = "interrupted" if records.interrupted else f"no result of {count}"
        return Verdict(SuiteOutcome.CRASHED, ": ".join(filter(None, (text, records.stop_reason))))
    return _judge_green(cases) if code == 0 else _judge_nonzero_exit(code, cases)


def _judge_unfinished(code: int, records: Records) -> Verdict:
    if records.broken_conftest:
        return Verdict(SuiteOutcome.COLLECTION_ERROR)
    if records.internal:
        return Verdict(SuiteOutcome.CRASHED, f"internal error of pytest: {records.internal}")
    # Once configured, pytest sends its last record after a usage error too.
    if code == _USAGE and not records.configured:
        return Verdict(SuiteOutcome.USAGE_ERROR)
    if code == _NO_TESTS and not records.started:
        return Verdict(SuiteOutcome.NO_TESTS)
    what = "before pytest had finished" if records.started else "and pytest did not report"
    return Verdict(SuiteOutcome.CRASHED, f"ended with {code} {what}")


def _judge_failing(code: int, cases: tuple[Case, ...]) -> Verdict:
    # Cases that were seen to fail are the stronger word: a code of 0 does not clear them.
    note = "" if code else "though the command ended with 0"
    ran = any(case.outcome in (CaseOutcome.PASSED, CaseOutcome.FAILED) for case in cases)
    if any(case.is_failing and case.collecting for case in cases) and not ran:
        return Verdict(SuiteOutcome.COLLECTION_ERROR, note)
    return Verdict(SuiteOutcome.FAILED, note)


def _judge_green(cases: tuple[Case, ...]) -> Verdict:
    if any(case.outcome is CaseOutcome.PASSED for case in cases):
        return Verdict(SuiteOutcome.PASSED)
    # A suite that skips everything has checked nothing, so it is never green.
    return Verdict(SuiteOutcome.NO_TESTS, "every case was skipped" if cases else "")


def _judge_nonzero_exit(code: int, cases: tuple[Case, ...]) -> Verdict:
    if not cases:
        return Verdict(SuiteOutcome.USAGE_ERROR if code == _USAGE else SuiteOutcome.NO_TESTS)
    # A coverage limit, too many warnings, a linter behind `&&`: the command says no.
    return Verdict(SuiteOutcome.FAILED, f"no case failed, but the command ended with {code}")
