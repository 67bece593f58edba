"""Define a proposal: a change that waits for a person, with its exact diff and its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any


class ProposalKind(StrEnum):
    """What would change. The values are stored and printed."""

    RULE = "rule"
    """A rule of the rulebook; it is pending there, too, once the teacher has put it into words."""
    SKILL = "skill"
    """A file `.claude/skills/<name>/SKILL.md`, and a rule that points to it."""
    PERMISSION = "permission"
    """Permission rules in `.claude/settings.local.json`."""
    CHECK = "check"
    """A check that enforces a rule; a person copies it, and accepting only records that."""


class ProposalStatus(StrEnum):
    """Where it stands. The values are stored and printed."""

    NEEDS_TEACHER = "waits for the teacher"
    """A rule that nobody has put into words yet."""
    WAITING = "waits for you"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    """It never comes back: its fingerprint is known."""
    DROPPED = "nothing to learn"
    """The teacher saw nothing general in it, or the preflight refused it."""


@dataclass(frozen=True)
class EvidencePlace:
    """A place in a transcript that a proposal is based on."""

    session: str
    row: str
    at: str
    quote: str = ""
    """Masked."""


@dataclass(frozen=True)
class Proposal:
    """A change that waits for a person."""

    id: str
    """`p-` and eight hex digits of project, kind and fingerprint."""
    project: str
    """The project's real path."""
    kind: ProposalKind
    status: ProposalStatus
    fingerprint: str
    title: str
    created: datetime
    evidence: tuple[EvidencePlace, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    """What the kind needs, of plain JSON values; `sessions` and `occurrences` are always there."""
    detector: str = ""
    """What found it."""
    rule: str = ""
    """The id of the rule that it became or is about."""
    decided: datetime | None = None
    reason: str = ""
    """Why it was decided so."""
