"""The verdict on an attempt, by comparison with the tree before it."""

from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.errors import with_hint
from orchestrator.models.findings import Finding  # noqa: TC001 -- the codec resolves annotations
from orchestrator.models.suites import Case, SuiteReport


class CaseVerdict(StrEnum):
    """How a case that failed after an attempt is classified, by comparison with the tree before."""

    OWN = "own failure"
    UNSTEADY = "own failure, unsteady"
    """It always had the same result before the attempt, and fails in some runs after it."""
    OLD = "old"
    """It failed before too, and is unrelated to the task and the change."""
    FLAKY = "flaky"
    """It fails in some runs, and the attempt did not cause that."""
    ENVIRONMENT = "environment changed"
    """It passed at the baseline, and now fails on the tree before the attempt."""
    DISCOUNTED = "not counted"
    """A new test of the attempt, which fails because something it needs was reverted."""

    @property
    def is_own(self) -> bool:
        """Whether the attempt is responsible for it."""
        return self in (CaseVerdict.OWN, CaseVerdict.UNSTEADY)


class VerdictKind(StrEnum):
    """The verdict on an attempt."""

    SOLVED = "solved"
    OWN_FAILURE = "own failure"
    ENVIRONMENT = "environment changed"
    """The failures say nothing about the attempt, and a person has to act."""
    EXIT_STATUS = "the command fails though all cases pass"
    NOTHING_CHANGED = "nothing changed"
    NOTHING_PASSES = "no test passes"
    """Neither before the attempt nor after it, and the failures are unrelated to the task."""
    VOID = "comparison void"
    """Somebody edited the attempt's files during the comparison."""


@dataclass(frozen=True)
class Verdict:
    """What the suite says about an attempt, by comparison with the tree before it."""

    kind: VerdictKind
    message: str = ""
    """Why, in one line, where the kind does not say enough."""
    hint: str = ""
    """What to do about it."""
    cases: dict[str, CaseVerdict] = field(default_factory=dict)
    """The class of each case that failed in any run after the attempt, by its id."""
    flaky: tuple[Case, ...] = ()
    """The flaky cases as they failed, which the report of the verdict may not contain."""
    suite_runs: int = 1
    """The number of runs of the suite that were needed."""

    @property
    def text(self) -> str:
        """The message with the hint."""
        return with_hint(self.message, self.hint)

    def find_case_ids(self, *kinds: CaseVerdict) -> tuple[str, ...]:
        """Return the ids of the cases that are one of `kinds`."""
        return tuple(case for case, kind in self.cases.items() if kind in kinds)


@dataclass(frozen=True)
class Judgement:
    """A verdict with the report that it is based on: one whole run, never a merged one."""

    verdict: Verdict
    report: SuiteReport
    findings: tuple["Finding", ...] = ()
    """What the guard has found while the suite ran."""
