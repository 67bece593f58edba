"""The verdict on a pytest run, from its exit code and its report together.

Neither is enough alone. A runner that dies with code 0 writes no report; `make` and plugins change
the codes; `pytest || true` hides them; coverage limits fail a run in which every case passed.
The codes are those of `pytest.ExitCode`.
"""

import os
import re
from pathlib import Path
from typing import Final, NamedTuple

from orchestrator.models import Case, CaseOutcome, SuiteOutcome
from orchestrator.suites.junit import INTERNAL_ERROR, collection_failures

_INTERRUPTED, _INTERNAL, _USAGE, _NO_TESTS = 2, 3, 4, 5

_CONFTEST: Final = re.compile(r"^ImportError while loading conftest '(.+)'\.$", re.MULTILINE)


class Verdict(NamedTuple):
    """What a run came to, and what the outcome alone does not tell."""

    outcome: SuiteOutcome
    message: str = ""


def verdict(code: int, cases: tuple[Case, ...] | None, *, direct: bool) -> Verdict:
    """Judge a run that ended by itself.

    Args:
        code: the command's exit code.
        cases: what the report says; None when there is none.
        direct: whether the command is pytest itself, so that `code` is pytest's own.
    """
    if cases is None:
        return _without_report(code)
    if any(case.message == INTERNAL_ERROR for case in cases) or (direct and code == _INTERNAL):
        return Verdict(SuiteOutcome.CRASHED, "internal error of pytest")
    if any(case.failing for case in cases):
        return _with_failing(code, cases)
    if code == 0:
        return _green(cases)
    return _not_green(code, cases, direct=direct)


def _without_report(code: int) -> Verdict:
    if code == _USAGE:
        return Verdict(SuiteOutcome.USAGE_ERROR)
    if code == _NO_TESTS:
        return Verdict(SuiteOutcome.NO_TESTS)
    return Verdict(SuiteOutcome.CRASHED, f"ended with {code}, and pytest wrote no report")


def _with_failing(code: int, cases: tuple[Case, ...]) -> Verdict:
    # Cases that were seen to fail are the stronger word: a code of 0 does not clear them.
    note = "" if code else "though the command ended with 0"
    ran = any(case.outcome in (CaseOutcome.PASSED, CaseOutcome.FAILED) for case in cases)
    if collection_failures(cases) and not ran:
        return Verdict(SuiteOutcome.COLLECTION_ERROR, note)
    return Verdict(SuiteOutcome.FAILED, note)


def _green(cases: tuple[Case, ...]) -> Verdict:
    if any(case.outcome is CaseOutcome.PASSED for case in cases):
        return Verdict(SuiteOutcome.PASSED)
    # A suite that skips everything has checked nothing, so it is never green.
    return Verdict(SuiteOutcome.NO_TESTS, "every case was skipped" if cases else "")


def _not_green(code: int, cases: tuple[Case, ...], *, direct: bool) -> Verdict:
    if direct and code == _INTERRUPTED:
        return Verdict(SuiteOutcome.CRASHED, "interrupted")
    if not cases:
        return Verdict(SuiteOutcome.USAGE_ERROR if code == _USAGE else SuiteOutcome.NO_TESTS)
    # A coverage limit, too many warnings, a linter behind `&&`: the command says no.
    return Verdict(SuiteOutcome.FAILED, f"no case failed, but the command ended with {code}")


def broken_conftest(output: str, workspace: Path) -> Case | None:
    """Give the case for a conftest.py that cannot be imported, if the output tells of one.

    pytest calls it a usage error and writes no report, but it is the code that is broken.
    """
    match = _CONFTEST.search(output)
    if match is None:
        return None
    trace = output[match.start() :].strip()
    errors = [line[1:].strip() for line in trace.splitlines() if line.startswith("E ")]
    message = errors[-1] if errors else match[0]
    path = os.path.relpath(match[1], workspace.resolve())
    return Case(path, CaseOutcome.ERROR, 0.0, message, trace[-8000:])
