"""Teachers made of other teachers: one with a name, and one with a fallback."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.events import Listener, Notice
from orchestrator.ports import Teacher
from teacher.errors import TeacherUnavailable
from teacher.models import Failure, KnownRule, Lesson


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher with the name that people know it by."""

    teacher: Teacher
    name: str

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""
        return self.teacher.teach(failure, known_rules)


class FallbackTeacher:
    """Asks the second teacher whenever the first cannot be reached or refuses.

    An answer that is no lesson counts as an answer: it was paid for, so nobody else is asked.

    Args:
        first: is always asked.
        second: is asked when the first is unavailable.
        listener: is notified each time the second is asked.
    """

    def __init__(self, first: Teacher, second: Teacher, listener: Listener) -> None:
        self._first, self._second, self._emit = first, second, listener

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the first teacher, or else the second.

        Raises:
            TeacherError: raised by the teacher that was asked last.
        """
        try:
            return self._first.teach(failure, known_rules)
        except TeacherUnavailable as error:
            self._emit(Notice(f"asking the local teacher instead: {error.message}"))
            return self._second.teach(failure, known_rules)
