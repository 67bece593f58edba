"""Rules, what a lesson did to them, and what became of the teaching."""

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from teacher.models import Lesson, RuleText, Usage


@dataclass(frozen=True)
class Rule:
    """A rule of the rulebook."""

    id: str
    text: RuleText
    source: str = ""
    """`Learned on 2026-11-20 from test failure`."""
    paths: tuple[str, ...] = ()
    """Globs of the files that the rule is loaded for; it is always loaded if there are none."""


class ChangeKind(StrEnum):
    """What a lesson did to the rulebook. The values are stored and printed."""

    ADDED = "added"
    AMENDED = "amended"
    REINFORCED = "reinforced"
    ALREADY_KNOWN = "already known"
    QUARANTINED = "quarantined"
    CONTRADICTION = "contradiction"
    WAITS_FOR_APPROVAL = "waits for approval"


class Approval(StrEnum):
    """Which lessons become active without a person. The values are those of `learning.approval`."""

    AUTO = "auto"
    """Rules about the project's code."""
    REVIEW = "review"
    """None; each waits."""
    STRICT = "strict"
    """None; rules about the project's code wait, and others cannot be approved."""


PENDING_CHANGES = frozenset(
    (ChangeKind.QUARANTINED, ChangeKind.CONTRADICTION, ChangeKind.WAITS_FOR_APPROVAL)
)
"""Changes that are not written: the rule waits for a person."""


@dataclass(frozen=True)
class RuleChange:
    """What a lesson did to the rulebook file."""

    rule: Rule
    path: Path
    change: ChangeKind
    """The file does not contain the rule if the change is one of `PENDING_CHANGES`."""
    reason: str = ""
    """Why a lesson is held back. It is recorded with the run, not in the file."""
    leaving: tuple[Rule, ...] = ()
    """Rules that were archived to make room."""


@dataclass(frozen=True)
class Teaching:
    """The result of asking the teacher: a lesson, or the error that prevented one."""

    lesson: Lesson | None
    usage: Usage = field(default_factory=Usage)
    """What the answer cost, even if it could not be used."""
    trouble: str = ""
    answered: bool = True
    """Whether the teacher answered at all; if not, it can be asked again."""
