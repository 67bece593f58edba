"""A command that ends with an error though every case passes: coverage, warnings, a linter.

What it complains of stands only in its last lines, in the words of whatever complained. So lines
are compared between runs, with numbers made equal, and never read for their meaning.
"""

import re
from typing import Final

from orchestrator.models import SuiteReport
from orchestrator.suites.pytest.summary import COUNTS

EXIT_STATUS: Final = "the exit status"
"""Id of what stands for the command's exit status."""

SUITE: Final = "the suite"
"""Id of what stands for the suite as a whole, where it broke off and no case is to blame."""

_TAIL_LINES: Final = 40
_SHOWN_LINES: Final = 3
_COMPLAINT: Final = re.compile(r"error|fail|not reached|warning|unhandled|exception|denied", re.I)
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")
_FRAME: Final = re.compile(r"\x1b\[[0-9;]*m|[=!_*-]{3,}")


def extract_complaint(report: SuiteReport) -> str:
    """Return the last lines that say why a command failed, for a person."""
    lines = _read_tail(report)
    said = [line for line in lines if _COMPLAINT.search(line)] or lines
    return " / ".join(said[-_SHOWN_LINES:]) or f"it ended with {report.exit_code}"


def has_complaint(report: SuiteReport, complaining: SuiteReport) -> bool:
    """Return whether a report complains of what another one complains of."""
    wanted = _collect_complaints(complaining)
    return bool(wanted & _collect_complaints(report)) if wanted else not report.failing


def _collect_complaints(report: SuiteReport) -> frozenset[str]:
    return frozenset(
        _NUMBER.sub("N", line) for line in _read_tail(report) if _COMPLAINT.search(line)
    )


def _read_tail(report: SuiteReport) -> list[str]:
    lines = (_FRAME.sub("", line).strip() for line in report.output.splitlines()[-_TAIL_LINES:])
    return [line for line in lines if line and not COUNTS.search(line)]
