"""A suite that says what it is told to: for tests of whatever uses a suite."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.suites.command_line import ignore_event

_FILE: Final = "tests/test_scripted.py"
"""In which all scripted cases are said to be."""


class ScriptedSuite:
    """Gives queued reports in order and emits their cases; the last one is given from then on.

    A suite says the same of the same code, so where `state` tells what the code is, a run on a
    state that was seen before gives what was said of it then, or what was queued with
    `enqueue_again`. `calls` lists what was asked for: workspace and selection of each run.
    """

    def __init__(self, *reports: SuiteReport) -> None:
        self._reports = list(reports)
        self._again: list[SuiteReport] = []
        self._reports_by_state: dict[str, SuiteReport] = {}
        self.calls: list[tuple[Path, tuple[str, ...] | None]] = []
        self.footprint: Footprint | None = None
        """What `observe` returns with the report."""
        self.state: Callable[[], object] = lambda: len(self.calls)
        """Returns what the reports depend on; by default each run is on another state."""

    def enqueue(self, report: SuiteReport) -> None:
        """Add a report to the end of the queue."""
        self._reports.append(report)

    def enqueue_again(self, report: SuiteReport) -> None:
        """Add what is said when the suite runs again on a state that was seen before."""
        self._again.append(report)

    def preflight(self, workspace: Path) -> None:
        """Find nothing wrong."""

    def run(
        self,
        workspace: Path,
        select: Sequence[str] | None = None,
        on_event: Listener = ignore_event,
    ) -> SuiteReport:
        """Give the next report.

        Raises:
            LookupError: none was ever queued.
        """
        if not self._reports:
            raise LookupError("the scripted suite has no report: enqueue one")
        state = repr(self.state())
        self.calls.append((workspace, None if select is None else tuple(select)))
        if state in self._reports_by_state:
            report = self._again.pop(0) if self._again else self._reports_by_state[state]
        else:
            report = self._reports.pop(0) if len(self._reports) > 1 else self._reports[0]
            self._reports_by_state[state] = report
        for case in report.cases:
            on_event(CaseFinished(case))
        return report if select is None else _select_cases(report, select)

    def run_with_footprint(
        self, workspace: Path, on_event: Listener = ignore_event
    ) -> tuple[SuiteReport, Footprint | None]:
        """Give the next report and the footprint that was set."""
        return self.run(workspace, None, on_event), self.footprint


def _select_cases(report: SuiteReport, select: Sequence[str]) -> SuiteReport:
    return replace(report, cases=tuple(case for case in report.cases if case.id in select))


def make_report(passed: Iterable[str] = (), failed: Iterable[str] = ()) -> SuiteReport:
    """Give the report of a suite with these cases, red if any failed."""
    failing = tuple(
        Case(each, CaseOutcome.FAILED, 0.01, "assert False", f"{each}: assert False", _FILE)
        for each in failed
    )
    cases = (*(Case(each, CaseOutcome.PASSED, 0.01, file=_FILE) for each in passed), *failing)
    outcome = SuiteOutcome.FAILED if failing else SuiteOutcome.PASSED
    return SuiteReport(outcome, 1 if failing else 0, cases, 0.1, "scripted", "scripted suite")
