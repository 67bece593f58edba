"""What an attempt came to, by comparison with the tree before."""

from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.errors import with_hint
from orchestrator.models.findings import Finding  # noqa: TC001 -- the codec resolves annotations
from orchestrator.models.suites import Case, SuiteReport


class CaseVerdict(StrEnum):
    """What a case that failed after an attempt is, by comparison with the tree before."""

    OWN = "own failure"
    UNSTEADY = "own failure, unsteady"
    """It was steady before the attempt, and fails in some runs after it."""
    OLD = "old"
    """It failed before too, and nothing ties it to the task or the change."""
    FLAKY = "flaky"
    """It fails in some runs, and the attempt did not bring that about."""
    ENVIRONMENT = "environment changed"
    """It passed at the baseline, and fails on the tree before the attempt now."""
    DISCOUNTED = "not counted"
    """A new test of the attempt's that fails because something it needs was reverted."""

    @property
    def is_own(self) -> bool:
        """Whether the attempt has to answer for it."""
        return self in (CaseVerdict.OWN, CaseVerdict.UNSTEADY)


class VerdictKind(StrEnum):
    """What an attempt came to."""

    SOLVED = "solved"
    OWN_FAILURE = "own failure"
    ENVIRONMENT = "environment changed"
    """It says nothing about the attempt, and a person has to act."""
    EXIT_STATUS = "the command fails though all cases pass"
    NOTHING_CHANGED = "nothing changed"
    NOTHING_PASSES = "no test passes"
    """Neither before the attempt nor after it, and what fails has nothing to do with the task."""
    VOID = "comparison void"
    """Somebody edited the attempt's files while they were compared."""


@dataclass(frozen=True)
class Verdict:
    """What the suite says about an attempt, by comparison with the tree before."""

    kind: VerdictKind
    message: str = ""
    """Why, in one line, where the kind does not say it all."""
    hint: str = ""
    """What to do about it."""
    cases: dict[str, CaseVerdict] = field(default_factory=dict)
    """What each case is that failed in any run after the attempt, by its id."""
    flaky: tuple[Case, ...] = ()
    """The flaky ones as they failed: the report that the verdict rests on may not show it."""
    suite_runs: int = 1
    """How many runs of the suite it took."""

    @property
    def text(self) -> str:
        """The message with the hint."""
        return with_hint(self.message, self.hint)

    def find_case_ids(self, *kinds: CaseVerdict) -> tuple[str, ...]:
        """Return the ids of the cases that are one of `kinds`."""
        return tuple(case for case, kind in self.cases.items() if kind in kinds)


@dataclass(frozen=True)
class Judgement:
    """A verdict with the report that it rests on: one whole run, never a merged one."""

    verdict: Verdict
    report: SuiteReport
    findings: tuple["Finding", ...] = ()
    """What the guard saw while the suite ran."""
