"""Store workers, and say which of them live: by their locks, not by the age of their rows."""

import functools
import platform
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.platform.liveness import ProcessMark, mark_process
from orchestrator.storage.database import Database, Row
from orchestrator.storage.opening import open_database
from orchestrator.storage.process_locks import find_free
from orchestrator.tasks.fleet.models import JobStatus, WorkerRecord, WorkerState

_SELECT: Final = (
    "SELECT id, host, process, process_started, version, lanes, state, started, last_seen"
    " FROM workers"
)


def list_workers(state: Path) -> list[WorkerRecord]:
    """Return the workers that live, and those that died and nobody has replaced."""
    with open_database(state) as database:
        return WorkerStore(database).list_workers()


def create_worker_id() -> str:
    """Return an id that no other worker has or will have: host, boot and start, and chance.

    DBOS gives the jobs of an id to the next process with the same id. A host's name alone is
    given again by a container; a process id by any system.
    """
    mark = mark_process()
    host = re.sub(r"[^A-Za-z0-9-]+", "-", platform.node()).strip("-")[:40] or "host"
    return f"{host}-{int(mark.started):x}-{mark.pid}-{secrets.token_hex(4)}"


class WorkerStore:
    """The workers at this database.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the record.
    """

    def __init__(self, database: Database) -> None:
        self.database = database

    def register_worker(self, worker: str, version: str, lanes: int) -> None:
        """Record this process as a worker; it holds the lock of its id."""
        now = _now()
        self.database.write(
            "INSERT INTO workers (id, host, process, process_started, version, lanes, state,"
            " started, last_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (worker, *mark_process(), version, lanes, WorkerState.SERVING, now, now),
        )

    def see_worker(self, worker: str, state: WorkerState) -> None:
        """Record that a worker has been at work just now, and what it does."""
        self.database.write(
            "UPDATE workers SET last_seen = ?, state = ? WHERE id = ?", (_now(), state, worker)
        )

    def find_process(self, worker: str) -> ProcessMark | None:
        """Return the process of a worker; None if it was never registered."""
        rows = self.database.fetch_rows(
            "SELECT host, process, process_started FROM workers WHERE id = ?", (worker,)
        )
        with self.database.explain_damage():
            return ProcessMark(*rows[0]) if rows else None

    def read_last_seen(self) -> dict[str, str]:
        """Return what each worker that has not ended has recorded last, to see if it changes."""
        rows = self.database.fetch_rows(
            "SELECT id, last_seen FROM workers WHERE state <> ?", (WorkerState.ENDED,)
        )
        return {str(worker): str(seen) for worker, seen in rows}

    def list_workers(self) -> list[WorkerRecord]:
        """Return the workers that live or died, the oldest first.

        A worker that is not registered as ended, and whose lock is free, has died.
        """
        rows = self.database.fetch_rows(
            f"{_SELECT} WHERE state <> ? ORDER BY started, id", (WorkerState.ENDED,)
        )
        free = find_free(self.database, [str(row[0]) for row in rows])
        jobs: dict[str, list[str]] = {}
        running = self.database.fetch_rows(
            "SELECT worker, id FROM jobs WHERE status = ? ORDER BY id", (JobStatus.RUNNING,)
        )
        for worker, job in running:
            jobs.setdefault(str(worker), []).append(str(job))
        with self.database.explain_damage():
            build = functools.partial(_build_worker, free=free, jobs=jobs)
            return [build(row) for row in rows]

    def forget_workers(self, before: datetime) -> None:
        """Delete the rows of workers that ended, or died, and were last seen before a time."""
        old = self.database.fetch_rows(
            "SELECT id FROM workers WHERE last_seen < ?", (before.astimezone(UTC).isoformat(),)
        )
        for worker in find_free(self.database, [str(row[0]) for row in old]):
            self.database.write("DELETE FROM workers WHERE id = ?", (worker,))


def _build_worker(row: Row, *, free: Iterable[str], jobs: dict[str, list[str]]) -> WorkerRecord:
    worker, host, process, started, version, lanes, state, start, seen = row
    return WorkerRecord(
        worker,
        ProcessMark(host, process, started),
        version,
        lanes,
        WorkerState(state),
        datetime.fromisoformat(start),
        datetime.fromisoformat(seen),
        worker not in free,
        tuple(jobs.get(worker, ())),
    )


def _now() -> str:
    return datetime.now(UTC).isoformat()
