"""A rulebook in memory, for trying the loop without a file."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from orchestrator.memory.document import parse
from orchestrator.memory.lessons import known_rules, take_in
from orchestrator.models import RuleChange
from teacher.models import Failure, KnownRule, Lesson


class MemoryRulebook:
    """Holds a CLAUDE.md that exists nowhere, and edits it as the real one would be.

    Args:
        data: what the file holds at first.
        today: the day that rules are learned on.
    """

    def __init__(self, data: bytes = b"", today: date = date(2026, 1, 1)) -> None:
        self.data = data
        self._today = today

    def known_rules(self) -> Sequence[KnownRule]:
        """List the rules in force."""
        return known_rules(parse(self.data))

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Take a lesson in; None when it changes nothing."""
        outcome = take_in(self.data, lesson, failure, today=self._today)
        self.data = outcome.data
        if outcome.rule is None:
            return None
        return RuleChange(outcome.rule, Path("CLAUDE.md"), outcome.change, outcome.reason)
