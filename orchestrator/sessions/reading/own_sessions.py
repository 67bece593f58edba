"""Record the sessions that this program starts, so that nothing is learned from them.

Each is recorded before it starts, with its folder. A session that a program starts in such a folder
while one is open was most likely started by our agent (its commands, the suite), and counts as own.
A process that is killed leaves its sessions open; whoever scans next closes them.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.storage.database import Database, Row

INHERITED_ENTRYPOINT: Final = "sdk-py"
"""What the agent's environment says of how it was started. A `claude` that it starts inherits that;
one that a person's script starts says `sdk-cli`."""
_OF_RUN: Final = "#"
_MARGIN: Final = timedelta(minutes=30)
"""Time after the last sign of a killed process in which something that it started may begin."""


@dataclass(frozen=True)
class OwnSession:
    """A session that this program started."""

    id: str
    folder: str
    """The real path of the folder that it started in."""
    started: datetime
    ended: datetime | None
    """None while it is open."""


@dataclass(frozen=True)
class OwnSessions:
    """All sessions that this program started."""

    sessions: tuple[OwnSession, ...] = ()

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of the sessions."""
        return frozenset(each.id for each in self.sessions)

    def is_child(self, folder: str, started: str, entrypoint: str = "") -> bool:
        """Return whether a headless session was started by an own one, or by a run.

        Args:
            folder: the folder in which it started.
            started: when it started, as in its transcript.
            entrypoint: how Claude Code was started, as in its transcript.
        """
        if not folder or not self.sessions:
            return False
        try:
            at = datetime.fromisoformat(started)
        except ValueError:
            return False
        if at.tzinfo is None:
            at = at.replace(tzinfo=UTC)
        real = os.path.realpath(folder)
        return any(
            each.started <= at <= (each.ended or at)
            and (entrypoint == INHERITED_ENTRYPOINT or _is_in_folder(real, each.folder))
            for each in self.sessions
        )


def _is_in_folder(path: str, folder: str) -> bool:
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


@contextmanager
def record_own_session(database: Database, session: str, folder: Path) -> Iterator[None]:
    """Record a session of an agent, or a run, that is started in the block, and its end.

    Args:
        database: the database.
        session: the session's id, or what `name_run` returns.
        folder: the folder that it works in.

    Raises:
        InfrastructureError: it cannot be recorded; it must not be started.
    """
    mark = mark_process()
    database.write(
        "INSERT INTO own_sessions (id, folder, started, host, process, process_started)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (session, os.path.realpath(folder), _now().isoformat(), mark.host, mark.pid, mark.started),
    )
    try:
        yield
    finally:
        with suppress(InfrastructureError):  # it is closed by the next scan
            _close(database, session, _now())


def name_run(run: str, token: int) -> str:
    """Return the name of a run in one process: a resumed run works again."""
    return f"{run}{_OF_RUN}{token}"


def load_own_sessions(database: Database, last_written: Mapping[str, float]) -> OwnSessions:
    """Return all own sessions; close those whose process is gone.

    Args:
        database: the database.
        last_written: when the transcript of a session was written last, in seconds since 1970, by
            its id: a session whose process was killed ended then.
    """
    rows = database.fetch_rows(
        "SELECT id, folder, started, ended, host, process, process_started FROM own_sessions"
        " ORDER BY started, id"
    )
    with database.explain_damage():
        return OwnSessions(tuple(_read_session(database, row, last_written) for row in rows))


def _read_session(database: Database, row: Row, last_written: Mapping[str, float]) -> OwnSession:
    session, folder, started, ended, host, process, process_started = row
    begin, end = datetime.fromisoformat(started), ended and datetime.fromisoformat(ended)
    mark = ProcessMark(str(host), int(process), float(process_started))
    if end is None and not is_running(mark, local=database.is_local):
        last = last_written.get(session) or _find_last_event(database, session)
        # What it has started may have started after it was written last.
        end = max(begin, datetime.fromtimestamp(last, UTC) + _MARGIN) if last else _now()
        end = min(end, _now())
        _close(database, session, end)
    return OwnSession(session, folder, begin, end)


def _find_last_event(database: Database, session: str) -> float | None:
    """Return when a run reported something last, in seconds since 1970; None for a session."""
    run, mark, _ = session.partition(_OF_RUN)
    rows = database.fetch_rows("SELECT max(at) FROM events WHERE run = ?", (run,)) if mark else ()
    return datetime.fromisoformat(rows[0][0]).timestamp() if rows and rows[0][0] else None


def _close(database: Database, session: str, at: datetime) -> None:
    database.write(
        "UPDATE own_sessions SET ended = ? WHERE id = ? AND ended IS NULL",
        (at.isoformat(), session),
    )


def _now() -> datetime:
    return datetime.now(UTC)
