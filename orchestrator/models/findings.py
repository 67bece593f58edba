"""The findings of a reviewer in an attempt."""

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """What was done to the verdict, or to something that the verdict depends on."""

    TEST = "test edited"
    TEST_CONFIG = "test configuration edited"
    RULES = "learned rules edited"
    HIDDEN = "test no longer runs"
    INCONSISTENT = "report not to be believed"
    SUSPICIOUS = "code that fools tests"
    CLOSED = "folder closed"


@dataclass(frozen=True)
class Finding:
    """One thing that the guard found in an attempt."""

    kind: FindingKind
    where: str
    """The file, or the id of the test case."""
    text: str
    """A short description."""
    decisive: bool = False
    """Whether a green verdict would depend on it: not if it was reverted before the verdict."""

    @property
    def summary(self) -> str:
        """One line for a person: `tests/test_a.py: test edited: changed, reverted`."""
        return f"{self.where}: {self.kind}: {self.text}"


@dataclass(frozen=True)
class Findings:
    """The findings of one check of the guard."""

    found: tuple[Finding, ...] = ()
