"""A rulebook's history with a record of its own, for tests that have no run."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from orchestrator.rulebook.history import History
from orchestrator.storage.opening import open_database


class OpenHistory(History):
    """A history that opens the record of a state directory, and closes it."""

    def __init__(self, state: Path, book: Path, now: Callable[[], datetime] | None = None) -> None:
        self._opened = open_database(state)
        super().__init__(self._opened, book, *([now] if now else []))

    def __enter__(self) -> "OpenHistory":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the record."""
        self._opened.close()
