"""Teachers made of other teachers: with a name, with a fallback, and one that stores answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from orchestrator.events import Listener, Notice
from orchestrator.ports import Teacher
from teacher.errors import TeacherUnavailable
from teacher.models import Action, Failure, KnownRule, Lesson


@dataclass(frozen=True)
class NamedTeacher:
    """A teacher with the name that people know it by."""

    teacher: Teacher
    name: str
    payer: str
    """Who pays for its answers: a key, with the variable that has it."""

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


class RecordingTeacher:
    """Stores each answer before anything else is done with it, even before its bill is.

    The answer is paid for at this moment. Whatever happens next (a full disk, a database that is
    locked, `kill -9`), it can be written later without asking again.

    Args:
        teacher: is asked.
        record: stores the answer to a failure; does not raise.
    """

    def __init__(self, teacher: Teacher, record: Callable[[Failure, Lesson], None]) -> None:
        self._teacher, self._record = teacher, record

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the teacher, and store the answer. Raises TeacherError."""
        lesson = self._teacher.teach(failure, known_rules)
        self._record(failure, lesson)
        return lesson


class SilentTeacher:
    """The teacher of a run whose test failures are not taught, as the configuration says."""

    name = "none"
    payer = "nobody"

    def teach(self, failure: Failure, known_rules: object) -> Lesson:
        """Return a lesson that changes nothing, with the reason."""
        del failure, known_rules
        return Lesson(Action.NONE, "the source pytest is not enabled in failure_sources")
