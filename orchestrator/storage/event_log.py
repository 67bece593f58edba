"""Write and list the events of runs, in order."""

from datetime import datetime

from orchestrator.models import EventRow
from orchestrator.storage.database import Database


class EventLog:
    """The events of all runs.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def append_event(self, run: str, attempt: int, at: str, kind: str, values: str) -> None:
        """Append an event to those of a run."""
        self._database.write(
            "INSERT INTO events (run, position, attempt, at, kind, detail)"
            " SELECT ?, coalesce(max(position), 0) + 1, ?, ?, ?, ? FROM events WHERE run = ?",
            (run, attempt, at, kind, values, run),
        )

    def list_last_events(self, run: str, count: int) -> list[EventRow]:
        """Return the last events of a run, the oldest first."""
        rows = self._database.fetch_rows(
            "SELECT coalesce(max(position), 0) FROM events WHERE run = ?", (run,)
        )
        return self.list_events(run, max(0, int(str(rows[0][0])) - count))

    def list_events(self, run: str, after: int = 0) -> list[EventRow]:
        """Return a run's events after a position, the oldest first."""
        rows = self._database.fetch_rows(
            "SELECT position, attempt, at, kind, detail FROM events"
            " WHERE run = ? AND position > ? ORDER BY position",
            (run, after),
        )
        with self._database.explain_damage():
            found = [EventRow(*row) for row in rows]
            for each in found:
                datetime.fromisoformat(each.at)
            return found
