"""Prove to other processes that this one lives: a lock that ends with it.

In Postgres it is an advisory lock of a session of its own, which the server ends when the process
does, or when its machine no longer answers. With SQLite it is a lock file. Neither is ever held for
a process that is gone, so nobody has to guess by the age of a row.

The session needs a connection to the server itself. A pooler that gives each transaction another
connection (PgBouncer with `pool_mode = transaction`) would hold the lock for nobody.
"""

import math
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator.errors import InfrastructureError
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.storage.database import Database
from orchestrator.storage.engines import describe_postgres_error, find_url_secrets
from orchestrator.storage.state_directory import build_state_error, locks_folder

_PREFIX: Final = "plt:"
_SEED: Final = 7
"""Of the hash that makes a number of a name: the same in every process."""
_FILE_WAIT_SECONDS: Final = 5.0
"""`find_free` holds the file of a lock for a moment."""

_KEEPALIVE: Final = {
    "keepalives": 1,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
"""A machine that has vanished is noticed after about half a minute by its own side of the
connection; the server needs `tcp_keepalives_*` for its side, which `_ON_SERVER` sets."""
_ON_SERVER: Final = (
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET idle_session_timeout = 0",
)
"""On a Unix socket the first three have no effect; the last is unknown before Postgres 14."""

_HELD: Final = """
    SELECT name FROM unnest(?::text[]) AS name WHERE EXISTS (
        SELECT 1 FROM pg_catalog.pg_locks l
        WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted
        AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
        AND ((l.classid::bigint << 32) | l.objid::bigint) = hashtextextended(?::text || name, ?)
    )
"""
"""Read from the server's own list, so that to ask takes no lock. A lock by one number is listed as
its halves, and with 1 in `objsubid`: https://www.postgresql.org/docs/current/view-pg-locks.html."""


class ProcessLock(Protocol):
    """A lock that this process holds until it ends."""

    def is_held(self) -> bool:
        """Return whether it is still held; if not, try to take it again."""

    def release(self) -> None:
        """Release it, as at the end of the process."""


def hold_lock(database: Database, name: str) -> ProcessLock:
    """Take a lock by which other processes see that this one lives.

    Args:
        database: the record, which says where the lock is.
        name: the name of the process, which no other process ever has.

    Raises:
        InfrastructureError: another process holds it, or it cannot be taken.
    """
    lock: _FileProcessLock | _SessionLock
    if database.is_local:
        lock = _FileProcessLock(database.directory, name)
    else:
        lock = _SessionLock(database.url, name)
    try:
        if not lock.is_held():
            raise InfrastructureError(f"another process holds the lock of {name}", "start again")
    except BaseException:
        lock.release()
        raise
    return lock


def find_free(database: Database, names: Iterable[str]) -> set[str]:
    """Return those of the names whose lock nobody holds: their processes are gone.

    Raises:
        InfrastructureError: the database or the folder of the locks cannot be used.
    """
    asked = set(names)
    if database.is_local:
        return {name for name in asked if _is_file_free(database.directory, name)}
    if not asked:
        return set()
    array = "{" + ",".join(f'"{_escape_element(name)}"' for name in sorted(asked)) + "}"
    rows = database.fetch_rows(_HELD, (array, _PREFIX, _SEED))
    return asked - {str(name) for (name,) in rows}


def read_server_age(database: Database) -> float:
    """Return for how many seconds the server has run; infinity where there is none.

    With a server all locks end, and its clients take them again when they notice that it is back.
    """
    if database.is_local:
        return math.inf
    query = "SELECT extract(epoch FROM now() - pg_postmaster_start_time())"
    return float(database.fetch_rows(query)[0][0])


def is_free(database: Database, name: str) -> bool:
    """Return whether nobody holds the lock of a name."""
    return bool(find_free(database, [name]))


def _escape_element(name: str) -> str:
    return name.replace("\\", "\\\\").replace('"', '\\"')


# ---- beside SQLite


def _find_file(state: Path, name: str) -> Path:
    return locks_folder(state) / f"process-{name}.lock"


def _is_file_free(state: Path, name: str) -> bool:
    path = _find_file(state, name)
    if not path.exists():  # or each question would leave a file
        return True
    lock = FileLock(path, 0)
    try:
        lock.acquire()
    except LockHeldError:
        return False
    except OSError as error:
        raise build_state_error(state, error) from error
    lock.release()
    return True


class _FileProcessLock:
    """A lock file; it is removed at the end, because its name is never used again."""

    def __init__(self, state: Path, name: str) -> None:
        self._state, self._path = state, _find_file(state, name)
        self._lock: FileLock | None = None

    def is_held(self) -> bool:
        if self._lock is None:
            lock = FileLock(self._path, _FILE_WAIT_SECONDS)
            try:
                lock.acquire()
            except LockHeldError:
                return False
            except OSError as error:
                raise build_state_error(self._state, error) from error
            self._lock = lock
        return True

    def release(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            self._path.unlink(missing_ok=True)
            lock.release()


# ---- in Postgres


class _SessionLock:
    """An advisory lock of a connection of its own."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._connection: Any = None

    def is_held(self) -> bool:
        import psycopg

        if self._connection is not None:
            try:
                self._connection.execute("SELECT 1")
                return True
            except psycopg.Error:
                self.release()
        try:
            return self._take_lock()
        except psycopg.Error as error:
            self.release()
            secrets = find_url_secrets(self._url)
            raise describe_postgres_error(error, secrets) from error

    def _take_lock(self) -> bool:
        import psycopg

        settings: dict[str, Any] = dict(_KEEPALIVE)
        self._connection = psycopg.connect(
            self._url, autocommit=True, connect_timeout=10, **settings
        )
        for statement in _ON_SERVER:
            with suppress(psycopg.Error):
                self._connection.execute(statement)
        row = self._connection.execute(
            "SELECT pg_try_advisory_lock(hashtextextended(%s::text || %s::text, %s))",
            (_PREFIX, self._name, _SEED),
        ).fetchone()
        if row and row[0]:
            return True
        self.release()
        return False

    def release(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
