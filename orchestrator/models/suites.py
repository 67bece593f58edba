"""What a suite printed and came to: cases and reports."""

from dataclasses import dataclass
from enum import StrEnum


class CaseOutcome(StrEnum):
    """How one test case ended. `error` is a failure outside the test's own body."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class Raised:
    """One exception of the chain that a case ended with."""

    type: str
    """Its class with the module: `builtins.AssertionError`."""
    message: str = ""
    """Its text, in short."""
    files: tuple[str, ...] = ()
    """Files of its frames, absolute; the one that raised is the last."""


@dataclass(frozen=True)
class Case:
    """One test case of a suite's report."""

    id: str
    """The runner's own id, which selects the case again (pytest: the node id)."""
    outcome: CaseOutcome
    seconds: float = 0.0
    message: str = ""
    """The assertion or exception, in short."""
    detail: str = ""
    """The traceback as the runner printed it."""
    file: str = ""
    """The file that defines it, from the project's folder; empty where the runner names none."""
    function: str = ""
    """The id without parameters; equal for all cases of one test function."""
    raised: tuple[Raised, ...] = ()
    """The exceptions that it ended with, the cause first, where the runner tells them."""
    reach: tuple[str, ...] = ()
    """Of a failing case, the project's files that its code uses, directly or through others."""
    names: tuple[str, ...] = ()
    """Of a failing case, the names of functions, classes and modules of the project that its code
    uses directly."""
    collecting: bool = False
    """Whether it stands for a file that could not be collected, and not for a test."""

    @property
    def is_failing(self) -> bool:
        """Whether the case speaks against the code."""
        return self.outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR)

    @property
    def exception_types(self) -> list[str]:
        """The types of the exceptions that it ended with, the cause first."""
        return [each.type for each in self.raised]


class SuiteOutcome(StrEnum):
    """What a run of the suite came to. Only `passed` is a green verdict."""

    PASSED = "passed"
    FAILED = "failed"
    COLLECTION_ERROR = "collection error"
    NO_TESTS = "no tests collected"
    USAGE_ERROR = "usage error"
    NOT_FOUND = "command not found"
    TIMEOUT = "timeout"
    CRASHED = "crashed"

    @property
    def hint(self) -> str:
        """What to do when a suite that should judge the code comes to this instead."""
        return _SUITE_HINTS.get(self, "")


_SUITE_HINTS = {
    SuiteOutcome.NO_TESTS: "point tests.command at your tests",
    SuiteOutcome.USAGE_ERROR: "mend tests.command; the run's record holds what it printed",
    SuiteOutcome.NOT_FOUND: "mend tests.command, or install the program it names",
    SuiteOutcome.TIMEOUT: "raise tests.timeout, or name fewer tests in tests.command",
    SuiteOutcome.CRASHED: "run tests.command by hand; the run's record holds what it printed",
}


@dataclass(frozen=True)
class SuiteReport:
    """The verdict of one run of the suite."""

    outcome: SuiteOutcome
    exit_code: int | None
    """The runner's own exit code; None when it was ended by us or never began."""
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0
    output: str = ""
    """What the runner printed (its end, when that is long)."""
    command: str = ""
    message: str = ""
    """What the outcome alone does not tell: the signal, the case that was running."""
    complete: bool = True
    """Whether the runner's last record arrived, so that no case is missing."""
    running: str = ""
    """Id of the case that had begun and not ended when the suite broke off."""
    forged: tuple[str, ...] = ()
    """What the runner found of its own code, hooks and test functions that was not theirs."""

    @property
    def has_passed(self) -> bool:
        """Whether the verdict is green."""
        return self.outcome is SuiteOutcome.PASSED

    @property
    def failing(self) -> tuple[Case, ...]:
        """The cases that speak against the code."""
        return tuple(case for case in self.cases if case.is_failing)

    @property
    def has_verdict(self) -> bool:
        """Whether tests really ran, or failed to be imported: a statement about the code."""
        return self.outcome in (
            SuiteOutcome.PASSED,
            SuiteOutcome.FAILED,
            SuiteOutcome.COLLECTION_ERROR,
        )

    @property
    def summary(self) -> str:
        """The verdict in a few words: `12 passed, 2 failed`."""
        counts = [
            f"{sum(case.outcome is outcome for case in self.cases)} {outcome}"
            for outcome in CaseOutcome
            if any(case.outcome is outcome for case in self.cases)
        ]
        text = ", ".join(counts) or "no cases"
        if self.outcome not in (SuiteOutcome.PASSED, SuiteOutcome.FAILED):
            text = f"{self.outcome} ({text})"
        return f"{text}: {self.message}" if self.message else text
