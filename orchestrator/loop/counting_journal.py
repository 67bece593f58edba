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

    @property
    def step_count(self) -> int:
        """How many steps this process has done itself, also those that failed."""
        return self._step_count

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function, or return its result if this step was finished before."""

        def count_and_call() -> T:
            self._step_count += 1
            return function()

        return self._journal.step(name, count_and_call)
