"""Count stored sessions, by project and class."""

from collections import Counter
from datetime import datetime
from pathlib import Path

from orchestrator.sessions.models import SessionClass
from orchestrator.sessions.store.project_sessions import (
    CONDITION,
    format_transcript_time,
    list_values,
)
from orchestrator.storage.database import Database


def count_sessions(
    database: Database, since: datetime, until: datetime, project: str = ""
) -> dict[str, Counter[SessionClass]]:
    """Return the sessions in which something happened in a period, by project and class.

    Args:
        database: the database.
        since: the start of the period.
        until: its end.
        project: the path of a project, for its sessions alone, under this path; all if empty.
    """
    where, values = _build_condition(project)
    rows = database.fetch_rows(
        # A session that was copied into another home, and continued in both, is one session.
        "SELECT project, class, count(DISTINCT id) FROM sessions"  # noqa: S608
        " WHERE ended >= ? AND started < ?"
        f" {where} GROUP BY project, class ORDER BY project, class",
        (format_transcript_time(since), format_transcript_time(until), *values),
    )
    found: dict[str, Counter[SessionClass]] = {}
    for name, kind, count in rows:
        found.setdefault(project or name, Counter())[SessionClass(kind)] += int(count)
    return found


def list_starts(database: Database, project: str) -> dict[str, str]:
    """Return the start of each session of a project that is not our own, by its id."""
    where, values = _build_condition(project)
    rows = database.fetch_rows(
        f"SELECT id, started FROM sessions WHERE class <> ? {where}",  # noqa: S608 -- a constant
        (SessionClass.OWN.value, *values),
    )
    return dict(rows)


def count_unreadable_rows(database: Database) -> int:
    """Return how many rows of all transcripts could not be read."""
    return int(database.fetch_rows("SELECT coalesce(sum(unreadable), 0) FROM transcripts")[0][0])


def _build_condition(project: str) -> tuple[str, list[str | int]]:
    return (f"AND {CONDITION}", list_values(project)) if project else ("", [])


def find_transcript(database: Database, session: str) -> Path | None:
    """Return the main file of a session; None if it is not known."""
    rows = database.fetch_rows(
        "SELECT t.path FROM transcripts t JOIN sessions s ON s.family = t.family WHERE s.id = ?"
        " ORDER BY length(t.path), t.path LIMIT 1",
        (session,),
    )
    return Path(rows[0][0]) if rows else None
