"""Rules, what a lesson did to them, and what became of the teaching."""

from dataclasses import dataclass, field
from pathlib import Path

from teacher.models import Lesson, RuleText, Usage


@dataclass(frozen=True)
class Rule:
    """A rule as it stands in the rulebook."""

    id: str
    text: RuleText
    source: str = ""
    """`Learned on 2026-11-20 from test failure`."""
    paths: tuple[str, ...] = ()
    """Globs of the files that it is loaded for; always, if there are none."""


@dataclass(frozen=True)
class RuleChange:
    """What a lesson did to the rulebook file."""

    rule: Rule
    path: Path
    change: str
    """`added`, `amended`, `reinforced`, `already known`; or, and then it is not in the file,
    `quarantined`, `contradiction`, `waits for approval`."""
    reason: str = ""
    """Why a lesson is held back: it is in the run's record, and not in the file."""
    leaving: tuple[Rule, ...] = ()
    """Rules that went to the archive to make room."""


@dataclass(frozen=True)
class Teaching:
    """What came of asking the teacher: a lesson, or the trouble that kept it away."""

    lesson: Lesson | None
    usage: Usage = field(default_factory=Usage)
    """What the answer took, also when it was of no use."""
    trouble: str = ""
    answered: bool = True
    """Whether the teacher answered at all; if not, it can be asked again."""
