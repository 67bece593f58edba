"""Remember what a run's suite has reported, for a run that is ended in the middle of an attempt."""

from dataclasses import replace

from orchestrator import events
from orchestrator.models import RunResult, SuiteReport


class SuiteReports:
    """The suite's reports that the recorded result of a run does not have yet."""

    def __init__(self) -> None:
        self._baseline: SuiteReport | None = None
        self._open: SuiteReport | None = None

    def handle_event(self, event: events.Event) -> None:
        """Remember a report on the project as it was, or on an attempt that is not complete."""
        if isinstance(event, events.AttemptFinished):
            self._open = None
        elif isinstance(event, events.SuiteFinished) and event.baseline:
            self._baseline = event.report
        elif isinstance(event, events.SuiteFinished) and not event.before_attempt:
            self._open = event.report

    def complete_result(self, result: RunResult) -> RunResult:
        """Return a result so far with the reports that came after it was recorded."""
        return replace(
            result,
            baseline=result.baseline or self._baseline,
            open_report=self._open or result.open_report,
        )
