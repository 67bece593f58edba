"""Which run of the suite is still needed, and what each failing case is once there is enough.

    failed at the baseline   nothing ties it to task or change          old
                             tied, and fails in every run after          own
                             tied, and unsteady                          own, or flaky before too
    passed at the baseline   fails in every run after, passes before     own
                             fails before too, now                       the environment changed
                             unsteady after, steady before, reachable    own, unsteady
                             unsteady, and the change cannot reach it    flaky
    new                      fails                                       own

Every run is one of the whole suite. A run of the failing cases alone says nothing of code that
leaks state from one test into the next.
"""

from collections.abc import Callable
from dataclasses import dataclass

from orchestrator.failures.fingerprint import without_noise
from orchestrator.models import Case, CaseVerdict, SuiteReport
from orchestrator.verdict.evidence import Evidence, Side, State
from orchestrator.verdict.exit_status import EXIT_STATUS
from orchestrator.verdict.relation import Relation


@dataclass(frozen=True)
class Comparison:
    """The evidence on one attempt, and what ties its failures to task and change.

    Args:
        evidence: the runs so far.
        relation: task and change.
        discounted: whether a new case fails because something that it needs was reverted.
    """

    evidence: Evidence
    relation: Relation
    discounted: Callable[[Case], bool] = lambda _: False

    def next_run(self) -> Side | None:
        """Return on which tree the suite has to run next; None when there is enough."""
        needed = {self._needs(case) for case in self.evidence.failing.values()}
        for side in (Side.AFTER, Side.BEFORE):
            if side in needed:
                return side
        return None

    def classify(self) -> dict[str, CaseVerdict]:
        """Return what each case is that failed after the attempt, by id."""
        return {id_: self._classify(case) for id_, case in self.evidence.failing.items()}

    def deciding_report(self, verdicts: dict[str, CaseVerdict]) -> SuiteReport:
        """Return the run that a verdict rests on: the last complete one without own failures."""
        clean = [
            report
            for report in self.evidence.after
            if report.complete and not any(verdicts[c.id].own for c in report.failing)
        ]
        broken = [report for report in self.evidence.after if not report.passed]
        own = any(verdict.own for verdict in verdicts.values())
        return (broken[-1:] or clean[-1:] if own else clean[-1:] or broken[-1:])[0]

    def _needs(self, case: Case) -> Side | None:
        if self.discounted(case):
            return None
        if self.evidence.state_at_baseline(case) is State.FAILED:
            return self._needs_of_red(case)
        return self._needs_of_green(case)

    def _needs_of_red(self, case: Case) -> Side | None:
        """Return what is needed for a case that failed at the baseline."""
        if not self.relation.tied(case):
            known = self._before(case) or self._in_the_same_way(case)
            return None if known else Side.BEFORE
        if len(self._after(case)) < 2:
            return Side.AFTER
        return None if self._is_steady(case) or self._before(case) else Side.BEFORE

    def _needs_of_green(self, case: Case) -> Side | None:
        """Return what is needed for a case that passed at the baseline, or was not there."""
        if len(self._after(case)) < 2:
            return Side.AFTER
        steady, reached = self._is_steady(case), self._reached(case)
        if self.relation.is_new(case) or not (steady or reached):
            return None
        if not self._before(case):
            return Side.BEFORE
        # Nothing shows how the change could have done it: again, back on the tree after.
        unexplained = steady and not reached and not self._fails_before(case)
        return Side.AFTER if unexplained and len(self._after(case)) < 3 else None

    def _classify(self, case: Case) -> CaseVerdict:
        if self.discounted(case):
            return CaseVerdict.DISCOUNTED
        if self.evidence.state_at_baseline(case) is State.FAILED:
            return self._classify_red(case)
        return self._classify_green(case)

    def _classify_red(self, case: Case) -> CaseVerdict:
        steady, fails_before = self._is_steady(case), self._fails_before(case)
        if not self.relation.tied(case):
            caused = steady and bool(self._before(case)) and not fails_before
            return CaseVerdict.OWN if caused else CaseVerdict.OLD
        if steady:
            return CaseVerdict.OWN
        return CaseVerdict.UNSTEADY if fails_before else CaseVerdict.FLAKY

    def _classify_green(self, case: Case) -> CaseVerdict:
        steady, fails_before = self._is_steady(case), self._fails_before(case)
        if self.relation.is_new(case):
            return CaseVerdict.OWN if steady else CaseVerdict.UNSTEADY
        if steady:
            return CaseVerdict.ENVIRONMENT if fails_before else CaseVerdict.OWN
        caused = self._reached(case) and not fails_before
        return CaseVerdict.UNSTEADY if caused else CaseVerdict.FLAKY

    def _is_steady(self, case: Case) -> bool:
        """Return whether a case fails in every run after the attempt."""
        return all(state is State.FAILED for state in self._after(case))

    def _fails_before(self, case: Case) -> bool:
        return not {State.FAILED, State.UNKNOWN}.isdisjoint(self._before(case))

    def _reached(self, case: Case) -> bool:
        return self.relation.reached(case, if_unknown=True)

    def _after(self, case: Case) -> tuple[State, ...]:
        states = self.evidence.states(case, Side.AFTER)
        return tuple(state for state in states if state is not State.UNKNOWN)

    def _before(self, case: Case) -> tuple[State, ...]:
        return self.evidence.states(case, Side.BEFORE)

    def _in_the_same_way(self, case: Case) -> bool:
        """Return whether a case failed at the baseline as it fails now, values left aside."""
        known = self.evidence.at_baseline(case)
        if known is None or case.id == EXIT_STATUS:  # that is told by its complaint
            return known is not None
        if case.raised and known.raised:
            return [each.type for each in case.raised] == [each.type for each in known.raised]
        return _first_line(case) == _first_line(known)


def _first_line(case: Case) -> str:
    return without_noise(next((line for line in case.message.splitlines() if line.strip()), ""))
