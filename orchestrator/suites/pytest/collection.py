"""What pytest found when it collected the cases of a suite without running them."""

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.models import Case, SuiteOutcome
from orchestrator.suites.pytest.verdict import NOT_REACHED_MESSAGE

_MISSING_MODULE: Final = re.compile(r"No module named '([\w.]+)'")

_ERROR_LINE: Final = re.compile(r"(?:\w+: )?error\b|E  |\w*Error:", re.IGNORECASE)
"""A line of pytest's output that says what is wrong."""


@dataclass(frozen=True)
class Collection:
    """The cases of a suite, counted, and what kept files from being collected."""

    count: int
    """The number of cases."""
    failures: tuple[Case, ...]
    """The files that could not be collected."""
    seconds: float
    outcome: SuiteOutcome | None
    """How the command ended, if that says that pytest did not finish."""
    output: str
    interpreter: str = ""
    """The interpreter that ran pytest; empty if pytest did not start."""
    version: str = ""
    """Its version."""
    pytest: str = ""
    """The version of pytest."""
    plugins: tuple[str, ...] = ()
    """The names of the packages with plugins that pytest loaded."""
    message: str = ""
    """What is known about that outcome."""

    @property
    def is_unreached(self) -> bool:
        """Whether pytest ran, judging by its output, but did not report: it may be elsewhere."""
        return self.message == NOT_REACHED_MESSAGE

    @property
    def is_clean(self) -> bool:
        """Whether there are cases, and every file was collected."""
        return self.count > 0 and not self.failures and self.outcome is None

    @property
    def is_counted(self) -> bool:
        """Whether collecting has ended, so that the number of cases is known."""
        return self.outcome is not SuiteOutcome.TIMEOUT

    def list_missing_modules(self) -> list[str]:
        """Return the top-level names of the modules that could not be imported."""
        found = (name for each in self.failures for name in _MISSING_MODULE.findall(each.message))
        return list(dict.fromkeys(name.partition(".")[0] for name in found))

    def describe_problem(self) -> str:
        """Return what is wrong: a line of the output, or how the command ended."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR_LINE.match(line)]
        ended = self.message or (self.outcome.value if self.outcome else "no test was found")
        if self.is_unreached:
            return ended
        return (errors or lines or [ended])[-1][:300]
