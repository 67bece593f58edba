"""A teacher as this package passes it on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from teacher.models import Failure, KnownRule, Lesson


class ReadyTeacher(Protocol):
    """What the loop asks of a teacher."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher, and what people call it."""

    teacher: ReadyTeacher
    name: str

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""
        return self.teacher.teach(failure, known_rules)
