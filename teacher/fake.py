"""A teacher with scripted answers, for tests."""

from collections import deque
from collections.abc import Sequence

from teacher.answer import read_answer
from teacher.errors import TeacherError
from teacher.models import Failure, KnownRule, Lesson

FAKE_MODEL = "scripted"


class ScriptedTeacher:
    """Returns the enqueued items in order, and records what it was asked.

    Each item is a lesson to return, an error to raise, or the answer of a model, which is parsed
    as the real teachers parse it.
    """

    def __init__(self, *items: Lesson | TeacherError | str) -> None:
        self._items = deque(items)
        self.asked: list[tuple[Failure, tuple[KnownRule, ...]]] = []
        """Each failure that was passed to `teach`, with the active rules."""

    def enqueue(self, item: Lesson | TeacherError | str) -> None:
        """Add an item to the end of the queue."""
        self._items.append(item)

    def preflight(self) -> None:
        """Do nothing: a scripted teacher needs no configuration."""

    def teach(self, failure: Failure, known_rules: Sequence[KnownRule]) -> Lesson:
        """Return the next item.

        Raises:
            TeacherError: The next item is an error, or an answer that is not a lesson.
            AssertionError: The queue is empty: the test asks more often than it expected.
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
