"""What a reviewer found in an attempt."""

from dataclasses import dataclass
from enum import StrEnum


class FindingKind(StrEnum):
    """What somebody did to the verdict, or to what the verdict rests on."""

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
    """What was done, in a few words."""
    decisive: bool = False
    """Whether a green verdict rests on it. What was restored before the verdict is not."""

    @property
    def summary(self) -> str:
        """One line for a person: `tests/test_a.py: test edited: changed, reverted`."""
        return f"{self.where}: {self.kind}: {self.text}"


@dataclass(frozen=True)
class Findings:
    """What one look of the guard found."""

    found: tuple[Finding, ...] = ()
