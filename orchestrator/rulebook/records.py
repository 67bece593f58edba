"""What is known about one rule beside its text: its origin, status and outcomes."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.models import ChangeKind, Rule
from orchestrator.models.fingerprints import hash_words
from teacher.models import Failure, Lesson, RuleText

MOST_CASES: Final = 20
"""Failing cases that a rule remembers."""
_DIFF_PATH: Final = re.compile(r"^\+\+\+ b/(.+)$", re.MULTILINE)


class Status(StrEnum):
    """The status of a rule; the first three are active."""

    ACTIVE = "active"
    PROVEN = "proven"
    ESCALATED = "escalated"
    WAITING = "waiting"
    """For a person's approval."""
    QUARANTINED = "quarantined"
    """It reads like an attack, or contradicts an active rule."""
    ARCHIVED = "archived"
    HARMFUL = "harmful"
    REJECTED = "rejected"

    @property
    def is_active(self) -> bool:
        """Whether the rule is in the file."""
        return self in (Status.ACTIVE, Status.PROVEN, Status.ESCALATED)

    @property
    def is_pending(self) -> bool:
        """Whether the rule waits for a person."""
        return self in (Status.WAITING, Status.QUARANTINED)


@dataclass(frozen=True)
class Origin:
    """The origin of a rule. Unknown fields are empty."""

    failure: str = ""
    """Fingerprint of the failure."""
    source: str = ""
    run: str = ""
    model: str = ""
    summary: str = ""
    """The failure in a line."""
    cases: tuple[str, ...] = ()
    """The test cases that failed."""
    files: tuple[str, ...] = ()
    """What the attempt that failed had changed."""
    case_fingerprints: tuple[str, ...] = ()
    """Of each case that failed, alone."""

    def is_repeated_by(self, failure: str, case_fingerprints: Collection[str]) -> bool:
        """Return whether a failure is this one again, or holds all of its cases among others."""
        own = self.case_fingerprints
        return bool(self.failure and self.failure == failure) or (
            bool(own) and set(own) <= set(case_fingerprints)
        )


@dataclass(frozen=True)
class Proposal:
    """What a pending rule would do to the file."""

    target: str = ""
    """The rule that it would amend; empty for a new one."""
    against: str = ""
    """The active rule that it contradicts."""


@dataclass(frozen=True)
class Counters:
    """What outcomes of runs say about a rule."""

    runs: int = 0
    """Judged runs during which it was active."""
    first_passes: int = 0
    """Of those, runs that were solved by their first attempt."""
    recurrences: int = 0
    """Attempts with the failure that the rule should prevent, while it was active."""


class Witness(StrEnum):
    """The evidence that a rule was in an agent's request."""

    TRANSCRIPT = "transcript"
    """The agent's own transcript has its text among what was sent."""
    FILE = "file"
    """It is in a file that is loaded; what was sent is not known."""
    NONE = "none"
    """It was active, and not sent."""


@dataclass(frozen=True)
class Exposure:
    """An active rule and an attempt: whether the rule was sent, and which text of it."""

    rule_id: str
    text_hash: str
    """`hash_text` of the rule's text."""
    witness: Witness


@dataclass(frozen=True)
class RuleRecord:
    """A rule with its history in short."""

    rule: Rule
    status: Status
    reason: str
    """Why it has this status, if that is not plain."""
    origin: Origin
    learned: datetime
    mattered: datetime
    """When it last prevented, failed to prevent, was learned again, or was changed."""
    suggestion: str = ""
    """A check that would enforce it, once it is escalated."""
    proposal: Proposal = Proposal()
    counters: Counters = Counters()

    @property
    def status_when_restored(self) -> Status:
        """The status that the rule gets when it is active again."""
        return Status.ESCALATED if self.suggestion else Status.ACTIVE


@dataclass(frozen=True)
class Refusal:
    """A text that was rejected or withdrawn, and must not return by itself."""

    rule: str
    """The id of the rule that had it."""
    text: RuleText


class RuleEventKind(StrEnum):
    """What happened to a rule. The values are stored and printed."""

    ADDED = "added"
    AMENDED = "amended"
    REINFORCED = "reinforced"
    ALREADY_KNOWN = "already known"
    QUARANTINED = "quarantined"
    CONTRADICTION = "contradiction"
    WAITS_FOR_APPROVAL = "waits for approval"
    ADDED_ON_BRANCH = "added on a branch"
    AMENDED_ON_BRANCH = "amended on a branch"
    REINFORCED_ON_BRANCH = "reinforced on a branch"
    ALREADY_KNOWN_ON_BRANCH = "already known on a branch"

    ADOPTED = "adopted from the file"
    EDITED_IN_FILE = "edited by hand"
    RETURNED = "back in the file"
    LEFT_FILE = "left the file"

    ADDED_BY_HAND = "added by hand"
    EDITED = "edited"
    RETIRED = "retired"
    REJECTED = "rejected"
    RESTORED = "restored"
    APPROVED = "approved"

    PREVENTED = "prevented"
    RECURRED = "its failure came back"
    ESCALATED = "escalated"
    ARCHIVED = "archived"

    @classmethod
    def for_change(cls, change: ChangeKind, *, own: bool = True) -> "RuleEventKind":
        """Return the event for what a lesson did, in the project's own files or on a branch."""
        return cls(change.value if own else f"{change.value} on a branch")


@dataclass(frozen=True)
class RuleEvent:
    """One thing that happened to a rule."""

    at: datetime
    what: str
    """A `RuleEventKind`, or what an older version of this program called it."""
    detail: str = ""


def hash_text(text: RuleText) -> str:
    """Return a hash that distinguishes the texts of a rule, as `hash_words`."""
    return hash_words(text.rule, text.when, text.why)


def describe_difference(old: Rule, new: Rule) -> str:
    """Return the old values of the fields that a change replaced, in a line."""
    fields = {
        "rule": (old.text.rule, new.text.rule),
        "when": (old.text.when, new.text.when),
        "why": (old.text.why, new.text.why),
        "for": (", ".join(old.paths), ", ".join(new.paths)),
    }
    was = [f"{name}: {before or '-'}" for name, (before, now) in fields.items() if before != now]
    return f"it was: {'; '.join(was)}" if was else ""


def build_origin(lesson: Lesson, failure: Failure, run: str) -> Origin:
    """Return the origin of a rule that this lesson adds."""
    files = tuple(dict.fromkeys(_DIFF_PATH.findall(failure.diff)))
    return Origin(
        failure.fingerprint,
        failure.suite or failure.source,
        run,
        lesson.model,
        failure.summary,
        failure.cases[:MOST_CASES],
        files,
        failure.case_fingerprints[:MOST_CASES],
    )
