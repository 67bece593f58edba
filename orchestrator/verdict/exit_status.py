"""Compares commands that fail although every case passes: coverage, warnings, a linter.

The reason is only in the last lines of the output, in the words of any tool. So lines are compared
between runs, with numbers replaced, and never interpreted.
"""

import re
from typing import Final

from orchestrator.models import SuiteReport
from orchestrator.suites.pytest.summary import COUNTS

EXIT_STATUS: Final = "the exit status"
"""Id of the case that represents the command's exit status."""

SUITE: Final = "the suite"
"""Id of the case that represents a suite that broke off."""

_TAIL_LINES: Final = 40
_SHOWN_LINES: Final = 3
_COMPLAINT: Final = re.compile(r"error|fail|not reached|warning|unhandled|exception|denied", re.I)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_FRAME: Final = re.compile(r"\x1b\[[0-9;]*m|[=!_*-]{3,}")


def extract_complaint(report: SuiteReport) -> str:
    """Return the last lines that say why a command failed, as text for people."""
    lines = _read_tail(report)
    said = [line for line in lines if _COMPLAINT.search(line)] or lines
    return " / ".join(said[-_SHOWN_LINES:]) or f"it exited with {report.exit_code}"


def has_complaint(report: SuiteReport, complaining: SuiteReport) -> bool:
    """Return whether two reports have a complaint in common."""
    complaints = _collect_complaints(complaining)
    return bool(complaints & _collect_complaints(report)) if complaints else not report.failing


def _collect_complaints(report: SuiteReport) -> frozenset[str]:
    return frozenset(
        _NUMBER.sub("N", line) for line in _read_tail(report) if _COMPLAINT.search(line)
    )


def _read_tail(report: SuiteReport) -> list[str]:
    lines = (_FRAME.sub("", line).strip() for line in report.output.splitlines()[-_TAIL_LINES:])
    return [line for line in lines if line and not COUNTS.search(line)]
