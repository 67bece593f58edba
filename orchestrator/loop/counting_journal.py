"""A journal that counts the steps which were done, and not just remembered."""

from collections.abc import Callable
from typing import TypeVar

from orchestrator.ports import Journal

T = TypeVar("T")


class CountingJournal:
    """Passes steps on to another journal.

    Args:
        journal: remembers the results.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._step_count = 0
        self._before_next: Callable[[], None] | None = None

    @property
    def step_count(self) -> int:
        """How many steps this process has done itself, also those that failed."""
        return self._step_count

    def call_before_next(self, function: Callable[[], None] | None) -> None:
        """Call a function before the next step that this process does; None cancels that."""
        self._before_next = function

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function, or return its result if this step was finished before."""

        def count_and_call() -> T:
            self._step_count += 1
            before, self._before_next = self._before_next, None
            if before:
                before()
            return function()

        return self._journal.step(name, count_and_call)
