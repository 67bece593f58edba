"""Define what a scan reports."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ScanProblem:
    """A file that could not be read, or a session that could not be examined."""

    location: str
    reason: str


@dataclass(frozen=True)
class ScanResult:
    """What a scan has seen."""

    families: int = 0
    """Sessions with their files, in all homes."""
    read: int = 0
    """Those that were read: new, changed, or read by an older version."""
    unchanged: int = 0
    vanished: int = 0
    """Those whose files are gone; their facts stay."""
    rows: int = 0
    unreadable: int = 0
    """Rows that could not be read."""
    sessions: Mapping[str, int] = field(default_factory=dict)
    """The sessions that were read, by class."""
    problems: tuple[ScanProblem, ...] = ()


@dataclass
class ScanCount:
    """What a scan has seen so far."""

    read: int = 0
    rows: int = 0
    unreadable: int = 0
    sessions: Counter[str] = field(default_factory=Counter)
    problems: list[ScanProblem] = field(default_factory=list)
