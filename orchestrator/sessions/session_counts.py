"""Count stored sessions, by project and class."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from orchestrator.sessions.models import SessionClass
from orchestrator.storage.database import Database


def format_time(moment: datetime) -> str:
    """Return a time as it stands in transcripts: `2026-01-28T11:15:57.297Z`."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count_sessions(
    database: Database, since: str, until: str, project: Path | None = None
) -> dict[str, Counter[SessionClass]]:
    """Return the sessions in which something happened in a period, by project and class.

    Args:
        database: the database.
        since: the start of the period, as in transcripts (`2026-01-28T11:15:57.297Z`).
        until: its end.
        project: the path of a project, for the sessions in it and in folders below it; all
            projects if None.
    """
    rows = database.fetch_rows(
        "SELECT project, class, count(*) FROM sessions WHERE ended >= ? AND started < ?"
        " GROUP BY project, class ORDER BY project, class",
        (since, until),
    )
    found: dict[str, Counter[SessionClass]] = {}
    for name, kind, count in rows:
        if project is None or is_in_project(name, project):
            found.setdefault(name, Counter())[SessionClass(kind)] += int(count)
    return found


def list_starts(database: Database, project: Path) -> dict[str, str]:
    """Return the start of each session of a project that is not our own, by its id."""
    rows = database.fetch_rows(
        "SELECT id, started, project FROM sessions WHERE class <> ?", (SessionClass.OWN.value,)
    )
    return {name: started for name, started, folder in rows if is_in_project(folder, project)}


def is_in_project(folder: str, project: Path) -> bool:
    """Return whether the project of a session is this one, or a folder below it."""
    return Path(folder) == project or project in Path(folder).parents


def find_transcript(database: Database, session: str) -> Path | None:
    """Return the main file of a session; None if it is not known."""
    rows = database.fetch_rows(
        "SELECT t.path FROM transcripts t JOIN sessions s ON s.family = t.family WHERE s.id = ?"
        " ORDER BY length(t.path), t.path LIMIT 1",
        (session,),
    )
    return Path(rows[0][0]) if rows else None
