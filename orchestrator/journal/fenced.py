"""A journal in which a step counts only while this process owns the run."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from orchestrator.ports import Journal

T = TypeVar("T")


@dataclass(frozen=True)
class FencedJournal:
    """Passes steps on, and checks before and after each that this process still owns the run.

    A process that another one considered dead, on a network file system or another host, may wake
    up: it starts no further step, and the result of the current one is discarded.

    Args:
        journal: stores the results.
        require_owner: raises LostRunError when another process has continued the run.
    """

    journal: Journal
    require_owner: Callable[[], None]

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and store its result, or return the stored one.

        Raises:
            LostRunError: another process owns the run; nothing is stored.
        """

        def call_as_owner() -> T:
            self.require_owner()
            result = function()
            self.require_owner()
            return result

        return self.journal.step(name, call_as_owner)
