"""Decides which run of the suite is needed next, and classifies each failing case.

    failed at the baseline  not related to task or change                     old
                            related, and fails in every run after             own
                            related, and fails in some runs after             own, or flaky
    passed at the baseline  fails in every run after, passes before           own
                            now fails in runs before, too                     environment changed
                            unsteady after, passes before, change reaches it  own, unsteady
                            unsteady, and the change cannot reach it          flaky
    new                     fails                                             own

"After" and "before" are the trees with and without the attempt's changes; the suite runs on both in
the current environment. A case is unsteady if it fails in only some of the runs on a tree. An "own"
failure is one that the attempt caused, or should have fixed.

Each run is of the whole suite. A run of only the failing cases proves nothing about code that
leaks state from one test into the next (a cache, `os.environ`, a mutable default): they pass
alone, and fail in every full run.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from orchestrator.models import Case, CaseOutcome, CaseVerdict, SuiteReport
from orchestrator.models.fingerprints import strip_noise
from orchestrator.verdict.evidence import Evidence, Side, State
from orchestrator.verdict.exit_status import EXIT_STATUS
from orchestrator.verdict.relation import Relation

_MAX_RUNS: Final = {Side.AFTER: 3, Side.BEFORE: 2}
"""Maximum number of runs on each tree, including runs that break off."""

_MIN_RUNS_AFTER: Final = 2
"""Minimum number of runs on the "after" tree that show whether a case is steady."""

_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Comparison:
    """The evidence on one attempt, and how its failures are related to the task and the change.

    Args:
        evidence: the runs so far.
        relation: relates cases to the task and to the change.
        discounted: returns whether a new case fails because something it needs was reverted.
    """

    evidence: Evidence
    relation: Relation
    discounted: Callable[[Case], bool] = lambda _: False

    def choose_next_side(self) -> Side | None:
        """Return the tree on which the suite has to run next; None if the evidence suffices."""
        needed = {self._choose_side(case) for case in self.evidence.failing.values()}
        for side in (Side.AFTER, Side.BEFORE):
            if side in needed and self.evidence.count_runs(side) < _MAX_RUNS[side]:
                return side
        return None

    def classify_cases(self) -> dict[str, CaseVerdict]:
        """Return the verdict on each case that failed after the attempt, by id."""
        found = {id_: self._classify_case(case) for id_, case in self.evidence.failing.items()}
        passed = [c for c in self.evidence.after[-1].cases if c.outcome is CaseOutcome.PASSED]
        if passed or any(verdict.is_own for verdict in found.values()):
            return found
        if self.relation.keeps_behaviour or not self.relation.changed:
            return found  # the change cannot have caused these failures
        # Nothing passes, so nothing shows that the task is done.
        own = {CaseVerdict.OLD: CaseVerdict.OWN}
        return {id_: own.get(verdict, verdict) for id_, verdict in found.items()}

    def find_deciding_report(self, verdicts: dict[str, CaseVerdict]) -> SuiteReport:
        """Return the run that the verdict is based on: the last complete one without own failures.

        If there are own failures, it is the last run that failed.
        """
        clean = [
            report
            for report in self.evidence.after
            if report.complete and not any(verdicts[c.id].is_own for c in report.failing)
        ]
        broken = [report for report in self.evidence.after if not report.has_passed]
        own = any(verdict.is_own for verdict in verdicts.values())
        return (broken[-1:] or clean[-1:] if own else clean[-1:] or broken[-1:])[0]

    def _choose_side(self, case: Case) -> Side | None:
        """Return the tree on which one more run is needed to classify a case."""
        if self.discounted(case):
            return None
        red = self.evidence.find_baseline_state(case) is State.FAILED
        if red and not self.relation.is_tied(case):
            known = self._list_states_before(case) or self._fails_like_baseline(case)
            return None if known else Side.BEFORE
        if len(self._list_states_after(case)) < _MIN_RUNS_AFTER:
            return Side.AFTER
        return self._choose_side_for_red(case) if red else self._choose_side_for_green(case)

    def _choose_side_for_red(self, case: Case) -> Side | None:
        """Return the tree to run next for a related case that failed at the baseline and after."""
        alike = self._fails_like_baseline(case)
        if self._is_steady(case) and alike:
            return None
        if not self._list_states_before(case):
            return Side.BEFORE
        # It failed for another reason and then passed: is the test flaky, or the new code?
        unclear = not self._is_steady(case) and not alike
        return (
            Side.AFTER
            if unclear and len(self._list_states_after(case)) < _MAX_RUNS[Side.AFTER]
            else None
        )

    def _choose_side_for_green(self, case: Case) -> Side | None:
        """Return the tree to run next for a case that passed at the baseline, or did not exist."""
        steady, reached = self._is_steady(case), self._is_reached(case)
        if self.relation.is_new(case) or not (steady or reached):
            return None
        # One more green run does not prove that a case was steady: it may fail every other time.
        enough = 1 if steady else _MAX_RUNS[Side.BEFORE]
        if len(self._list_states_before(case)) < enough and not self._fails_before(case):
            return Side.BEFORE
        # Nothing shows how the change could have caused the failure: run "after" again.
        unexplained = steady and not reached and not self._fails_before(case)
        return (
            Side.AFTER
            if unexplained and len(self._list_states_after(case)) < _MAX_RUNS[Side.AFTER]
            else None
        )

    def _classify_case(self, case: Case) -> CaseVerdict:
        if self.discounted(case):
            return CaseVerdict.DISCOUNTED
        if self.evidence.find_baseline_state(case) is not State.FAILED:
            return self._classify_green(case)
        if self.relation.is_tied(case):
            return self._classify_red(case)
        passes_without = bool(self._list_states_before(case)) and not self._fails_before(case)
        caused = passes_without or self._breaks_again(case)
        return CaseVerdict.OWN if self._is_steady(case) and caused else CaseVerdict.OLD

    def _classify_red(self, case: Case) -> CaseVerdict:
        """Classify a related case that failed at the baseline."""
        alike = self._fails_like_baseline(case)
        if self._is_steady(case):
            before = self.evidence.find_last_failure(case, Side.BEFORE)
            other_cause = not alike and before is not None and _is_same_failure(case, before)
            return CaseVerdict.ENVIRONMENT if other_cause else CaseVerdict.OWN
        after = self._list_states_after(case)
        once = after.count(State.FAILED) == 1 and len(after) == _MAX_RUNS[Side.AFTER]
        steady_before = self._fails_before(case) and (alike or not once)
        return CaseVerdict.UNSTEADY if steady_before else CaseVerdict.FLAKY

    def _classify_green(self, case: Case) -> CaseVerdict:
        """Classify a case that passed at the baseline, or did not exist."""
        steady = self._is_steady(case)
        if self.relation.is_new(case):
            return CaseVerdict.OWN if steady else CaseVerdict.UNSTEADY
        if steady:
            # If the suite breaks off without the changes too, nothing proves that the changes
            # are to blame.
            breaks_off = self.evidence.count_runs(Side.BEFORE) > 0 and not self._list_states_before(
                case
            )
            fails_without = self._fails_before(case) or breaks_off
            return CaseVerdict.ENVIRONMENT if fails_without else CaseVerdict.OWN
        caused = self._is_reached(case) and not self._fails_before(case)
        return CaseVerdict.UNSTEADY if caused else CaseVerdict.FLAKY

    def _breaks_again(self, case: Case) -> bool:
        """Return whether an old failure raises other exceptions, but only with the change."""
        known = self.evidence.find_baseline_case(case)
        before = self.evidence.find_last_failure(case, Side.BEFORE)
        if known is None or before is None or case.exception_types == known.exception_types:
            return False
        return before.exception_types == known.exception_types and self.relation.can_break_again(
            case
        )

    def _is_steady(self, case: Case) -> bool:
        """Return whether a case fails in every run after the attempt."""
        return all(state is State.FAILED for state in self._list_states_after(case))

    def _fails_before(self, case: Case) -> bool:
        return State.FAILED in self._list_states_before(case)

    def _is_reached(self, case: Case) -> bool:
        return self.relation.is_reached(case, if_unknown=True)

    def _list_states_after(self, case: Case) -> tuple[State, ...]:
        return self._list_known_states(case, Side.AFTER)

    def _list_states_before(self, case: Case) -> tuple[State, ...]:
        return self._list_known_states(case, Side.BEFORE)

    def _list_known_states(self, case: Case, side: Side) -> tuple[State, ...]:
        states = self.evidence.list_states(case, side)
        return tuple(state for state in states if state is not State.UNKNOWN)

    def _fails_like_baseline(self, case: Case) -> bool:
        known = self.evidence.find_baseline_case(case)
        return known is not None and _is_same_failure(case, known)


def _is_same_failure(one: Case, other: Case) -> bool:
    """Return whether a case failed twice in the same way, apart from numbers and addresses."""
    if one.id == EXIT_STATUS:  # `Evidence` has compared the command's output already
        return True
    return one.exception_types == other.exception_types and _normalize_first_line(
        one
    ) == _normalize_first_line(other)


def _normalize_first_line(case: Case) -> str:
    line = next((line for line in case.message.splitlines() if line.strip()), "")
    return _NUMBER.sub("N", strip_noise(line))
