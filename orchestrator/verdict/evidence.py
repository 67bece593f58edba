"""What is known of an attempt: whole runs of the suite, before it, after it, and without it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.verdict.exit_status import EXIT_STATUS, complaint_of, has_complaint

SUITE: Final = "the suite"
"""Id of what stands for the suite as a whole, where it broke off and no case is to blame."""


class Side(StrEnum):
    """On which tree the suite runs, always in today's environment."""

    AFTER = "after"
    BEFORE = "before"


class State(StrEnum):
    """How a case ended in one run."""

    PASSED = "passed"
    """Or skipped: it does not speak against the code."""
    FAILED = "failed"
    ABSENT = "absent"
    """The run was complete, and the case is not in it."""
    UNKNOWN = "unknown"
    """The run broke off before it."""


@dataclass(frozen=True)
class Evidence:
    """All runs of the suite that speak of one attempt; each ran the whole suite."""

    baseline: SuiteReport
    """Before the first attempt of the run."""
    after: tuple[SuiteReport, ...]
    before: tuple[SuiteReport, ...] = ()
    """On the tree as it was at the baseline, in today's environment."""

    def with_run(self, side: Side, report: SuiteReport) -> "Evidence":
        """Return the evidence with one more run."""
        if side is Side.AFTER:
            return replace(self, after=(*self.after, report))
        return replace(self, before=(*self.before, report))

    def failing(self) -> dict[str, Case]:
        """Return what failed in any run after the attempt, by id, as it failed last."""
        return {case.id: case for report in self.after for case in failing_in(report)}

    def states(self, case: Case, side: Side) -> tuple[State, ...]:
        """Return how a case ended in each run of one side."""
        return tuple(self._state(case, each) for each in getattr(self, side))

    def state_at_baseline(self, case: Case) -> State:
        """Return how a case ended at the baseline."""
        return self._state(case, self.baseline)

    def at_baseline(self, case: Case) -> Case | None:
        """Return the case as it was at the baseline, if it was there."""
        return next(iter(_matching(case, self.baseline, self.after[0])), None)

    def _state(self, case: Case, report: SuiteReport) -> State:
        if case.id == EXIT_STATUS:
            return _exit_state(self.after, report)
        found = _matching(case, report, self.after[0])
        if any(each.failing for each in found):
            return State.FAILED
        if found and all(each.outcome is not CaseOutcome.ERROR for each in found):
            return State.PASSED
        broken_off = [each for each in failing_in(report) if each.id == SUITE]
        if case.id == SUITE:
            return State.FAILED if broken_off else State.PASSED
        return State.ABSENT if report.complete and not broken_off else State.UNKNOWN


def failing_in(report: SuiteReport) -> Iterator[Case]:
    """Yield what speaks against the code in a report, the suite as a whole included."""
    yield from report.failing
    if report.failing:
        return
    if report.outcome is SuiteOutcome.FAILED and report.cases:
        message = complaint_of(report)
        yield Case(EXIT_STATUS, CaseOutcome.FAILED, message=message)
    elif not report.passed or not report.complete:
        message = report.message or str(report.outcome)
        yield Case(report.running or SUITE, CaseOutcome.ERROR, message=message)


def _matching(case: Case, report: SuiteReport, first: SuiteReport) -> list[Case]:
    """Return the cases of a report that are this one.

    Ids may hold what is new in each run: a time, an address, a fresh uuid. Then all cases of the
    same function that have no namesake in the other report stand for it.
    """
    present = [*report.cases, *failing_in(report)]
    if same := [each for each in present if each.id == case.id]:
        return same
    if not case.function or case.function == case.id:
        return []
    named = {each.id for each in first.cases}
    return [each for each in present if each.function == case.function and each.id not in named]


def _exit_state(after: tuple[SuiteReport, ...], report: SuiteReport) -> State:
    """Return whether the command complained of the same thing in another run."""
    if report.passed:
        return State.PASSED
    complaining = next(each for each in after if not each.failing and not each.passed)
    same = has_complaint(report, complaining)
    return State.FAILED if same else State.PASSED if report.judged else State.UNKNOWN
