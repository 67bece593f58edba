"""Define a proposal: a change that waits for a person, with its exact diff and its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

SESSIONS: Final = "sessions"
"""Key of the content: the number of distinct sessions that show it."""
SESSIONS_SEEN: Final = "sessions_seen"
"""Key of the content: the number of sessions that were looked at."""
OCCURRENCES: Final = "occurrences"
"""Key of the content: how often it occurred."""
TRIES: Final = "tries"
"""Key of the content: how often the teacher gave no answer that can be used."""
TEXT: Final = "text"
"""Key of the content. Of a rule that is in no rulebook yet: its `rule`, `when` and `why`. Of a
skill: its whole file, whose folder is `name`, and `rule` is the text of its index line."""
RULES: Final = "rules"
"""Key of the content of a permission: the permission rules to add."""
ADDED: Final = "added"
"""Key of the content of a permission: those of them that accepting has added to the file; others
were there, and rejecting leaves them."""


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
class ProposalEvidence:
    """A place in a transcript that a proposal is based on."""

    session: str
    row: str
    at: str
    quote: str = ""
    """Masked."""


@dataclass(frozen=True)
class ProposalDraft:
    """A proposal before it is stored."""

    project: str
    """The project's real path."""
    kind: ProposalKind
    fingerprint: str
    """Equal for the same proposal in any night."""
    title: str
    content: Mapping[str, Any]
    """As in `Proposal`."""
    evidence: tuple[ProposalEvidence, ...] = ()
    detector: str = ""
    rule: str = ""

    @property
    def status(self) -> ProposalStatus:
        """Where it stands when it is new."""
        needs_words = (
            self.kind is ProposalKind.RULE and not self.rule and not self.content.get(TEXT)
        )
        return ProposalStatus.NEEDS_TEACHER if needs_words else ProposalStatus.WAITING


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
    evidence: tuple[ProposalEvidence, ...] = ()
    content: Mapping[str, Any] = field(default_factory=dict)
    """What the kind needs, of plain JSON values: see the constants above."""
    detector: str = ""
    """What found it."""
    rule: str = ""
    """The id of the rule that it became or is about."""
    decided: datetime | None = None
    reason: str = ""
    """Why it was decided so."""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide."""
        return self.status in (ProposalStatus.NEEDS_TEACHER, ProposalStatus.WAITING)

    def read_count(self, name: str) -> int:
        """Return a number of its content; 0 if it is not there."""
        value = self.content.get(name)
        return value if isinstance(value, int) and not isinstance(value, bool) else 0
