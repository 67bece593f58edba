"""Count occurrences over sessions, and decide which of them are findings, and what each becomes.

The unit is the distinct session, never the occurrence: one bad hour must not make a rule.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.sessions.detectors.occurrences import Detector


class Remedy(StrEnum):
    """What a finding becomes. The values are printed."""

    RULE = "rule"
    """A constraint of the project, put into words by the teacher."""
    SKILL = "skill"
    """A procedure, as a SKILL.md."""
    PERMISSION = "permission"
    """A permission rule in settings.local.json."""
    CHECK = "check"
    """A loaded rule is broken again: a hook, a lint rule or a test enforces it."""
    NONE = "none"
    """It is only counted."""


@dataclass(frozen=True)
class Evidence:
    """A place in a transcript that shows a finding."""

    session: str
    row: str
    at: str
    quote: str = ""
    """Masked, at most `MOST_OF_QUOTE` characters."""


@dataclass(frozen=True)
class StoredOccurrence:
    """An occurrence as it is stored: masked, with its session and project."""

    detector: Detector
    key: str
    project: str
    session: str
    row: str
    at: str
    quote: str = ""
    agent: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class SessionFinding:
    """Something that went wrong in enough sessions of a project to do something about it."""

    detector: Detector
    key: str
    project: str
    remedy: Remedy
    title: str
    """One line for people, with its numbers."""
    sessions: tuple[str, ...]
    """The distinct sessions, in order of their time."""
    occurrences: int
    evidence: tuple[Evidence, ...]
    """At most five places, of different sessions first."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What the remedy needs in addition, of plain JSON values."""

    @property
    def fingerprint(self) -> str:
        """16 hex digits, equal for the same finding in any night."""
        from orchestrator.models.fingerprints import compute_fingerprint

        return compute_fingerprint("session", [(self.detector, self.key)])
