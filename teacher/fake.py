"""A teacher that says what it was told to say, for the tests of whoever uses a teacher."""

from collections import deque
from collections.abc import Sequence

from teacher.answer import read_answer
from teacher.errors import TeacherError
from teacher.models import Failure, KnownRule, Lesson

FAKE_MODEL = "scripted"


class ScriptedTeacher:
    """Gives what was enqueued, in order, and remembers what it was asked.

    Each item is a lesson to give, an error to raise, or the words of a model, which are read as
    the real teachers read them.
    """

    def __init__(self, *items: Lesson | TeacherError | str) -> None:
        self._items = deque(items)
        self.asked: list[tuple[Failure, tuple[KnownRule, ...]]] = []
        """Every failure that came, with the rules that were in force."""

    def enqueue(self, item: Lesson | TeacherError | str) -> None:
        """Add what the teacher is to give after all that was enqueued before."""
        self._items.append(item)

    def preflight(self) -> None:
        """Nothing can be missing."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Give the next item.

        Raises:
            TeacherError: The next item, if it is one, or words that are no lesson.
            AssertionError: Nothing is enqueued: the test asks more often than it expected.
        """
        self.asked.append((failure, tuple(known_rules)))
        if not self._items:
            raise AssertionError(f"the scripted teacher has nothing left to say to {failure}")
        item = self._items.popleft()
        if isinstance(item, TeacherError):
            raise item
        if isinstance(item, str):
            return read_answer(item, known_rules, model=FAKE_MODEL)
        return item
