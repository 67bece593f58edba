"""Texts of the loop's notices, one line each."""

from collections.abc import Sequence
from typing import Final

from orchestrator.agents.wording import format_one_line
from orchestrator.models import SuiteReport

_MOST_NAMED: Final = 5
_LONG_SUITE_SECONDS: Final = 30.0
"""From this duration on, the cost of a comparison is announced."""


def describe_unseen_paths(unseen: Sequence[str]) -> str:
    """Return what the snapshots do not cover; empty if they cover everything."""
    if not unseen:
        return ""
    more = f" and {len(unseen) - _MOST_NAMED} more" if len(unseen) > _MOST_NAMED else ""
    named = ", ".join(format_one_line(path) for path in unseen[:_MOST_NAMED])
    return (
        "nested repositories and unreadable paths are in no diff, and edits there are not "
        f"reverted: {named}{more}"
    )


def describe_baseline(report: SuiteReport) -> list[str]:
    """Return what a green suite will mean, and how long a comparison takes, if it is long."""
    notices = []
    if report.has_passed:
        notices.append("the tests already pass: a green suite will only mean that nothing broke")
    if report.seconds >= _LONG_SUITE_SECONDS:
        minutes = 3 * report.seconds / 60
        notices.append(
            f"the suite takes {report.seconds:.0f} s: an attempt whose tests fail needs up to "
            f"3 more runs of it, about {minutes:.0f} min"
        )
    return notices
