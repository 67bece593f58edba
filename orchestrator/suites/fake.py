"""A suite with scripted reports, for tests."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.events import CaseFinished, Listener
from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint
from orchestrator.suites.command_line import ignore_event

_FILE: Final = "tests/test_scripted.py"
"""The file of all scripted cases."""


class ScriptedSuite:
    """Returns queued reports in order and emits their cases; the last report is repeated.

    A suite reports the same for the same code: if `state` identifies the code, a run on a known
    state returns the earlier report for it, or the next one queued with `enqueue_again`. `calls`
    lists workspace and selection of each run.
    """

    def __init__(self, *reports: SuiteReport) -> None:
        self._reports = list(reports)
        self._again: list[SuiteReport] = []
        self._reports_by_state: dict[str, SuiteReport] = {}
        self.calls: list[tuple[Path, tuple[str, ...] | None]] = []
        self.footprint: Footprint | None = None
        """Returned by `run_with_footprint`."""
        self.state: Callable[[], object] = lambda: len(self.calls)
        """Identifies the code under test; by default each run has a new state."""

    def enqueue(self, report: SuiteReport) -> None:
        """Add a report to the end of the queue."""
        self._reports.append(report)

    def enqueue_again(self, report: SuiteReport) -> None:
        """Queue a report for another run on a known state."""
        self._again.append(report)

    def preflight(self, workspace: Path) -> None:
        """Do nothing: a scripted suite can always start."""

    def run(
        self,
        workspace: Path,
        select: Sequence[str] | None = None,
        on_event: Listener = ignore_event,
    ) -> SuiteReport:
        """Return the next report.

        Raises:
            LookupError: no report was queued.
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
        """Return the next report and `footprint`."""
        return self.run(workspace, None, on_event), self.footprint


def _select_cases(report: SuiteReport, select: Sequence[str]) -> SuiteReport:
    return replace(report, cases=tuple(case for case in report.cases if case.id in select))


def make_report(passed: Iterable[str] = (), failed: Iterable[str] = ()) -> SuiteReport:
    """Return the report of a suite with these cases, which fails if any case failed."""
    failing = tuple(
        Case(each, CaseOutcome.FAILED, 0.01, "assert False", f"{each}: assert False", _FILE)
        for each in failed
    )
    cases = (*(Case(each, CaseOutcome.PASSED, 0.01, file=_FILE) for each in passed), *failing)
    outcome = SuiteOutcome.FAILED if failing else SuiteOutcome.PASSED
    return SuiteReport(outcome, 1 if failing else 0, cases, 0.1, "scripted", "scripted suite")
