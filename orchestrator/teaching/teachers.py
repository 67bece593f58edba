"""Teachers made of other teachers: with a name, a fallback, a second look, stored answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from orchestrator.events import Listener, Notice
from orchestrator.ports import Teacher
from orchestrator.rulebook.screening.screen import screen
from teacher.errors import TeacherError, TeacherMisconfigured, TeacherUnavailable
from teacher.models import Action, Failure, KnownRule, Lesson, RuleText
from teacher.second_look import SecondLook


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
    """Asks the second teacher whenever the first cannot be reached, refuses or is misconfigured.

    What the first has of its own was checked before: what shows only now is in its workflow, such
    as a model that is not known. An answer that is no lesson counts as an answer: it was paid for,
    so nobody else is asked.

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
            TeacherError: raised by the teacher that was asked last, with the cost of both.
        """
        try:
            return self._first.teach(failure, known_rules)
        except (TeacherUnavailable, TeacherMisconfigured) as error:
            self._emit(Notice(f"asking the local teacher instead: {error.message}"))
            spent = error.usage  # by a request that got lost
        try:
            lesson = self._second.teach(failure, known_rules)
        except TeacherError as error:
            raise type(error)(error.message, error.hint, spent + error.usage) from error
        return replace(lesson, usage=spent + lesson.usage)


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


class SecondLookTeacher:
    """Has a rule that would become active by itself examined again, without its evidence.

    It can only add a concern, for which the rule waits for a person.

    Args:
        teacher: gives the lesson.
        examine: asks about the text of a rule.
        record: stores the answer to a failure; does not raise.
    """

    def __init__(
        self,
        teacher: Teacher,
        examine: Callable[[RuleText], SecondLook],
        record: Callable[[Failure, Lesson], None],
    ) -> None:
        self._teacher, self._examine, self._record = teacher, examine, record

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Ask the teacher, and about its rule. Raises TeacherError from the first request only."""
        lesson = self._teacher.teach(failure, known_rules)
        if lesson.text is None or not screen(lesson.text, lesson.paths).is_free:
            return lesson
        # It is paid for, and must not become active without the second look after a kill.
        self._record(failure, replace(lesson, concern="the second look was interrupted"))
        try:
            look = self._examine(lesson.text)
        except TeacherError as error:
            concern, usage = f"the second look failed: {error.message}", error.usage
        else:
            concern, usage = "", look.usage
            if not look.about_code:
                concern = f"by a second look, it is not only about code: {look.reason}"
        return replace(lesson, concern=concern, usage=lesson.usage + usage)


class SilentTeacher:
    """The teacher of a run whose test failures are not taught, as the configuration says."""

    name = "none"
    payer = "nobody"

    def teach(self, failure: Failure, known_rules: object) -> Lesson:
        """Return a lesson that changes nothing, with the reason."""
        del failure, known_rules
        return Lesson(Action.NONE, "the source pytest is not enabled in failure_sources")
