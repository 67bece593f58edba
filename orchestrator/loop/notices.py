"""Texts of the loop's notices, one line each."""

from collections.abc import Sequence
from typing import Final

from orchestrator.agents.wording import format_one_line
from orchestrator.counts import format_count
from orchestrator.models import CaseOutcome, SuiteReport

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


def describe_goal(report: SuiteReport, must_pass: bool) -> str:
    """Return what will count as solved; empty if nothing fails, which `describe_baseline` says.

    Args:
        report: the suite's report on the unchanged project.
        must_pass: whether failures that are unrelated to the task count too.
    """
    if report.has_passed:
        return ""
    if report.is_exit_code_only:
        return "the command ends with exit code 0; that alone decides"
    if any(case.collecting for case in report.failing):
        return "all tests can be imported, and pass as now written"
    failing = format_count(len(report.failing), "failing test")
    passing = sum(case.outcome is CaseOutcome.PASSED for case in report.cases)
    others = (
        f", and what passes now ({format_count(passing, 'test')}) still does" if passing else ""
    )
    spared = "" if must_pass else "; a failure that has nothing to do with the task may remain"
    it = "passes" if len(report.failing) == 1 else "pass"
    return f"{failing} {it}, as now written{others}{spared}"


def describe_baseline(report: SuiteReport) -> list[str]:
    """Return what a green suite will mean, and how long a comparison takes, if it is long."""
    notices = []
    if report.has_passed:
        notices.append(
            "the tests already pass: a green suite will only mean that nothing broke, because no "
            "test shows what the task asks for"
        )
    if report.seconds >= _LONG_SUITE_SECONDS:
        minutes = 3 * report.seconds / 60
        notices.append(
            f"the suite takes {report.seconds:.0f} s: an attempt whose tests fail needs up to "
            f"3 more runs of it, about {minutes:.0f} min"
        )
    return notices
