"""The test cases of a suite, and its report."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from orchestrator.counts import format_count


class CaseOutcome(StrEnum):
    """How one test case ended. `error` is a failure outside of the test's own body."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


_PLURALS: Final = {CaseOutcome.ERROR: "errors"}
"""The outcomes that are nouns."""


@dataclass(frozen=True)
class Raised:
    """One exception of the chain that a case ended with."""

    type: str
    """Its class with the module: `builtins.AssertionError`."""
    message: str = ""
    """Its message, shortened."""
    files: tuple[str, ...] = ()
    """Absolute paths of the files of its frames; the frame that raised it is the last."""


@dataclass(frozen=True)
class Case:
    """One test case of a suite's report."""

    id: str
    """The runner's own id, which selects the case again (pytest: the node id)."""
    outcome: CaseOutcome
    seconds: float = 0.0
    message: str = ""
    """The assertion or exception, shortened."""
    detail: str = ""
    """The traceback as the runner printed it."""
    file: str = ""
    """The file that defines it, relative to the project; empty if the runner does not report it."""
    function: str = ""
    """The id without parameters; equal for all cases of one test function."""
    raised: tuple[Raised, ...] = ()
    """The exceptions that it ended with, the cause first, if the runner reports them."""
    reach: tuple[str, ...] = ()
    """The project's files that the code of a failing case uses, directly or through others."""
    names: tuple[str, ...] = ()
    """The names of functions, classes and modules of the project that the code of a failing case
    uses directly."""
    collecting: bool = False
    """Whether it is a file that could not be collected, and not a test."""

    @property
    def is_failing(self) -> bool:
        """Whether the case failed or had an error."""
        return self.outcome in (CaseOutcome.FAILED, CaseOutcome.ERROR)

    @property
    def exception_types(self) -> list[str]:
        """The types of the exceptions that it ended with, the cause first."""
        return [each.type for each in self.raised]


class SuiteOutcome(StrEnum):
    """How a run of the suite ended. Only `passed` is a green verdict."""

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
        """What to do if the suite ended like this, without a statement about the code."""
        return _SUITE_HINTS.get(self, "")


_SUITE_HINTS = {
    SuiteOutcome.NO_TESTS: "point tests.command at your tests",
    SuiteOutcome.USAGE_ERROR: "correct tests.command; the run's folder has its output",
    SuiteOutcome.NOT_FOUND: "correct tests.command, or install the program it names",
    SuiteOutcome.TIMEOUT: "raise tests.timeout, or name fewer tests in tests.command",
    SuiteOutcome.CRASHED: "run tests.command by hand; the run's folder has its output",
}


@dataclass(frozen=True)
class SuiteReport:
    """The result of one run of the suite."""

    outcome: SuiteOutcome
    exit_code: int | None
    """The runner's own exit code; None if we ended it, or it never started."""
    cases: tuple[Case, ...] = ()
    seconds: float = 0.0
    output: str = ""
    """What the runner printed; only the end of a long output."""
    command: str = ""
    message: str = ""
    """Details of the outcome: the signal, the case that was running."""
    complete: bool = True
    """Whether the runner's last record was received, so that no case is missing."""
    running: str = ""
    """Id of the case that was running when the suite was ended or crashed."""
    forged: tuple[str, ...] = ()
    """Functions of the runner, of its hooks and of tests that had been replaced at run time."""

    @property
    def is_exit_code_only(self) -> bool:
        """Whether the command itself is the only case, so that its exit code alone decides."""
        return [case.id for case in self.cases] == [self.command]

    @property
    def has_passed(self) -> bool:
        """Whether the verdict is green."""
        return self.outcome is SuiteOutcome.PASSED

    @property
    def failing(self) -> tuple[Case, ...]:
        """The cases that failed or had an error."""
        return tuple(case for case in self.cases if case.is_failing)

    @property
    def has_verdict(self) -> bool:
        """Whether tests ran, or could not be imported: both are statements about the code."""
        return self.outcome in (
            SuiteOutcome.PASSED,
            SuiteOutcome.FAILED,
            SuiteOutcome.COLLECTION_ERROR,
        )

    @property
    def summary(self) -> str:
        """The result in one line: `12 passed, 2 failed`."""
        counts = [
            format_count(count, outcome, _PLURALS.get(outcome, outcome))
            for outcome in CaseOutcome
            if (count := sum(case.outcome is outcome for case in self.cases))
        ]
        text = ", ".join(counts)
        if self.outcome not in (SuiteOutcome.PASSED, SuiteOutcome.FAILED):
            text = f"{self.outcome} ({text or 'no test ran'})"
        return f"{text}: {self.message}" if self.message else text
