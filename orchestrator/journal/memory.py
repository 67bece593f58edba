"""A journal in memory, for tests and for callers that never resume."""

from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class MemoryJournal:
    """Stores results for its own lifetime; `results` has them by the name of the step."""

    def __init__(self) -> None:
        self.results: dict[str, object] = {}

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and store its result, or return the stored one."""
        if name not in self.results:
            self.results[name] = function()
        return self.results[name]  # type: ignore[return-value] # the result of `function`
