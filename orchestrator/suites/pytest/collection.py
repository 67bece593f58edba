"""What pytest found when it collected the cases of a suite without running them."""

import re
from dataclasses import dataclass
from typing import Final

from orchestrator.models import Case, SuiteOutcome

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

    @property
    def is_clean(self) -> bool:
        """Whether there are cases, and every file was collected."""
        return self.count > 0 and not self.failures and self.outcome is None

    def list_missing_modules(self) -> list[str]:
        """Return the top-level names of the modules that could not be imported."""
        found = (name for each in self.failures for name in _MISSING_MODULE.findall(each.message))
        return list(dict.fromkeys(name.partition(".")[0] for name in found))

    def find_error_line(self) -> str:
        """Return the line of the output that says what is wrong; empty if there is none."""
        lines = [line.strip() for line in self.output.splitlines() if line.strip()]
        errors = [line for line in lines if _ERROR_LINE.match(line)]
        return (errors or lines or [""])[-1][:300]
