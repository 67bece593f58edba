"""Teachers made of other teachers: one with a name, and one for when the first is not there."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.events import Listener, Notice
from orchestrator.ports import Teacher
from teacher.errors import TeacherUnavailable
from teacher.models import Failure, KnownRule, Lesson


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher, and what people call it."""

    teacher: Teacher
    name: str

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Decide what is to be learned. Raises TeacherError."""
        return self.teacher.teach(failure, known_rules)


class FallbackTeacher:
    """Asks the second teacher whenever the first cannot be reached or refuses.

    An answer that is no lesson is an answer: the second is not asked then.
    """

    def __init__(self, first: Teacher, second: Teacher, listener: Listener) -> None:
        self._first, self._second, self._emit = first, second, listener

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the first, or else the second.

        Raises:
            TeacherError: the second one's, when neither gives a lesson.
        """
        try:
            return self._first.teach(failure, known_rules)
        except TeacherUnavailable as error:
            self._emit(Notice(f"asking the local teacher instead: {error.message}"))
            return self._second.teach(failure, known_rules)
