"""A journal for tests, and for callers that need no second life."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class MemoryJournal:
    """Remembers for as long as it lives. `results` can be looked at."""

    def __init__(self) -> None:
        self.results: dict[str, object] = {}

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and keep its result, or give the one that was kept."""
        if name not in self.results:
            self.results[name] = function()
        return self.results[name]  # type: ignore[return-value] # it is what function gave
