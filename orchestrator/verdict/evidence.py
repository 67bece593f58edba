"""The evidence on an attempt: whole runs of the suite, before it, after it, and without it."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.verdict.exit_status import EXIT_STATUS, SUITE, extract_complaint, has_complaint


class Side(StrEnum):
    """The tree on which the suite runs, always in the present environment."""

    AFTER = "after"
    BEFORE = "before"


class State(StrEnum):
    """How a case ended in one run."""

    PASSED = "passed"
    """Or skipped, which is no evidence against the code."""
    FAILED = "failed"
    ABSENT = "absent"
    """The run was complete, and did not contain the case."""
    UNKNOWN = "unknown"
    """The run broke off before the case."""


@dataclass(frozen=True)
class Evidence:
    """All runs of the whole suite that concern one attempt."""

    baseline: SuiteReport
    """Before the first attempt of the run."""
    after: tuple[SuiteReport, ...]
    before: tuple[SuiteReport, ...] = ()
    """On the tree of the baseline, in the present environment."""

    def with_run(self, side: Side, report: SuiteReport) -> "Evidence":
        """Return the evidence with one more run."""
        if side is Side.AFTER:
            return replace(self, after=(*self.after, report))
        return replace(self, before=(*self.before, report))

    @cached_property
    def failing(self) -> dict[str, Case]:
        """Cases that failed in any run after the attempt, by id, with their last failure."""
        return {case.id: case for report in self.after for case in iter_failing_cases(report)}

    def list_states(self, case: Case, side: Side) -> tuple[State, ...]:
        """Return how a case ended in each run on one side."""
        reports = self.after if side is Side.AFTER else self.before
        return tuple(self._find_state(case, each) for each in reports)

    def count_runs(self, side: Side) -> int:
        """Return the number of runs on one side."""
        return len(self.after if side is Side.AFTER else self.before)

    def find_last_failure(self, case: Case, side: Side) -> Case | None:
        """Return the last failure of a case on one side; None if it never failed there."""
        reports = self.after if side is Side.AFTER else self.before
        found = [each for report in reports for each in self._match_cases(case, report)]
        return next((each for each in reversed(found) if each.is_failing), None)

    def find_baseline_state(self, case: Case) -> State:
        """Return how a case ended at the baseline."""
        return self._find_state(case, self.baseline)

    def find_baseline_case(self, case: Case) -> Case | None:
        """Return the case at the baseline; None if it did not exist."""
        return next(iter(self._match_cases(case, self.baseline)), None)

    def _find_state(self, case: Case, report: SuiteReport) -> State:
        if case.id == EXIT_STATUS:
            return _find_exit_state(self.after, report)
        found = self._match_cases(case, report)
        if any(each.is_failing for each in found):
            return State.FAILED
        if found:
            return State.PASSED
        broken_off = SUITE in self._find_index(report).by_id
        if case.id == SUITE:
            return State.PASSED
        return State.ABSENT if report.complete and not broken_off else State.UNKNOWN

    def _match_cases(self, case: Case, report: SuiteReport) -> list[Case]:
        """Return the cases of a report that are the same as a case of another report.

        An id may contain a time, an address or a new uuid, and then differs in each run. In that
        case all cases of the same function whose ids are not in the first run after it match.
        """
        index = self._find_index(report)
        if same := index.by_id.get(case.id):
            return same
        if not case.function or case.id in (case.function, SUITE):
            return []
        named = self._find_index(self.after[0]).by_id
        return [each for each in index.by_function.get(case.function, ()) if each.id not in named]

    def _find_index(self, report: SuiteReport) -> "_Index":
        return self._indexes[id(report)]

    @cached_property
    def _indexes(self) -> "dict[int, _Index]":
        reports = (self.baseline, *self.after, *self.before)
        return {id(report): _build_index(report) for report in reports}


@dataclass(frozen=True)
class _Index:
    """The cases of one report by id and by function, with those for the suite as a whole."""

    by_id: dict[str, list[Case]]
    by_function: dict[str, list[Case]]


def _build_index(report: SuiteReport) -> _Index:
    by_id: dict[str, list[Case]] = {}
    by_function: dict[str, list[Case]] = {}
    whole = (case for case in iter_failing_cases(report) if case.id in (SUITE, EXIT_STATUS))
    for case in (*report.cases, *whole):
        by_id.setdefault(case.id, []).append(case)
        by_function.setdefault(case.function, []).append(case)
    return _Index(by_id, by_function)


def iter_failing_cases(report: SuiteReport) -> Iterator[Case]:
    """Yield the failing cases of a report, and one for a suite that failed as a whole."""
    yield from report.failing
    if report.outcome is SuiteOutcome.FAILED and report.complete:
        if not report.failing and report.cases:
            yield Case(EXIT_STATUS, CaseOutcome.FAILED, message=extract_complaint(report))
    elif not report.has_verdict or not report.complete:
        # Whatever failed before it broke off: the other cases did not run.
        message = report.message or str(report.outcome)
        running = next((case for case in report.cases if case.id == report.running), None)
        reach = running.reach if running else ()
        yield Case(SUITE, CaseOutcome.ERROR, 0.0, message, function=report.running, reach=reach)


def _find_exit_state(after: tuple[SuiteReport, ...], report: SuiteReport) -> State:
    """Return whether the command failed with the same complaint in another run."""
    if report.has_passed:
        return State.PASSED
    complaining = next(each for each in after if not each.failing and not each.has_passed)
    same = has_complaint(report, complaining)
    return State.FAILED if same else State.PASSED if report.has_verdict else State.UNKNOWN
