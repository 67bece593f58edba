"""A journal in which a step counts only while its process is the run's owner."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.ports import Journal

T = TypeVar("T")


@dataclass(frozen=True)
class FencedJournal:
    """Passes steps on, and checks before and after each whether the run is still ours.

    A process that another one takes for dead, on a network file system or another host, may wake
    up: it starts nothing more, and what it was doing does not count.

    Args:
        journal: keeps the results.
        require_owner: raises LostRunError when another process has taken the run up.
    """

    journal: Journal
    require_owner: Callable[[], None]

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and keep its result, or give the one that was kept.

        Raises:
            LostRunError: another process carries the run; nothing is kept.
        """

        def fenced() -> T:
            self.require_owner()
            result = function()
            self.require_owner()
            return result

        return self.journal.step(name, fenced)
