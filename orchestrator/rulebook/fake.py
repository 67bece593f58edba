"""A rulebook in memory, to try the loop without a file."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from orchestrator.models import RuleChange
from orchestrator.platform.folders import CLAUDE_MD
from orchestrator.rulebook.known_rules import list_known_rules
from orchestrator.rulebook.lesson_editing import apply_lesson
from orchestrator.rulebook.rule_file_set import RuleFileSet
from teacher.models import Failure, KnownRule, Lesson


class MemoryRulebook:
    """Edits a CLAUDE.md in memory as the real one would be edited.

    Args:
        data: the initial content of the file.
        today: the day that rules are learned on.
    """

    def __init__(self, data: bytes = b"", today: date = date(2026, 1, 1)) -> None:
        self._file_set = RuleFileSet({CLAUDE_MD: data})
        self._today = today

    @property
    def data(self) -> bytes:
        """The content of the file."""
        return self._file_set.files[CLAUDE_MD]

    def list_files(self) -> Sequence[str]:
        """Return the name of the file."""
        return (CLAUDE_MD,)

    def known_rules(self) -> Sequence[KnownRule]:
        """Return the active rules."""
        return list_known_rules(self._file_set)

    def apply(self, lesson: Lesson, failure: Failure) -> RuleChange | None:
        """Apply a lesson; return None when it changes nothing."""
        outcome = apply_lesson(self._file_set, lesson, failure, today=self._today)
        self._file_set = outcome.file_set
        if outcome.rule is None or outcome.change is None:
            return None
        return RuleChange(outcome.rule, Path(CLAUDE_MD), outcome.change, outcome.reason)
