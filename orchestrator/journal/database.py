"""The database of DBOS: its URL, what SQLite needs for it, and its errors in plain words."""

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from orchestrator.errors import InfrastructureError
from orchestrator.masking import mask_text
from orchestrator.storage.state_directory import (
    URL_VARIABLE,
    build_damage_error,
    build_state_error,
    create_private_file,
    read_database_url,
)

DATABASE: Final = "dbos.sqlite"

_SQLITE_WITH_SUBSEC: Final = (3, 42, 0)
"""The first SQLite whose `unixepoch` knows `subsec` (https://sqlite.org/lang_datefunc.html)."""


def resolve_workflows_url(state: Path) -> str:
    """Return the URL of the database of workflows: where the record is, or SQLite beside it.

    Raises:
        ConfigError: `ORCHESTRATOR_DATABASE_URL` names a database of another kind.
    """
    return read_database_url() or f"sqlite:///{state / DATABASE}"


@contextlib.contextmanager
def explain_errors(state: Path, url: str) -> Iterator[None]:
    """Turn errors of the database in the block into one line that says what to do.

    Raises:
        InfrastructureError: the database cannot be used, as with a full disk.
    """
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise  # a wrong statement is a bug: it must not be reported as a full disk
    except DBAPIError as error:
        cause = error.orig or error
        if url.startswith("sqlite"):
            if type(cause) is sqlite3.DatabaseError:
                raise build_damage_error(state / DATABASE, cause) from error
            raise build_state_error(state, cause) from error
        reason = " ".join(mask_text(str(cause)).split())
        raise InfrastructureError(
            f"the database {mask_text(url)} cannot be used: {reason}",
            f"start it, or correct {URL_VARIABLE}",
        ) from error


def prepare_sqlite(state: Path) -> None:
    """Create the SQLite database in a state directory, with a write-ahead log.

    Each step of a run is a commit, which waits for the disk once with the log and three times
    without it. SQLite stores the mode in the file, for all later connections
    (https://sqlite.org/wal.html). While another process locks the database the mode stays as it
    is, and a later start sets it.

    Raises:
        InfrastructureError: it is damaged. DBOS would try again for half a minute.
    """
    database = state / DATABASE
    # Before SQLite does it, which would let other users read the results of steps.
    create_private_file(database)
    try:
        with contextlib.closing(sqlite3.connect(database, timeout=1.0)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        if type(error) is sqlite3.DatabaseError:  # the base class: not a database, or damaged
            raise build_damage_error(database, error) from error
        # DBOS reports any other reason in more detail.


def provide_unixepoch() -> None:
    """Add the function `unixepoch('subsec')` to SQLite connections where SQLite lacks it.

    On Python 3.12 and later DBOS uses it in statements and in column defaults. SQLite before 3.42
    returns NULL for `subsec`, so every run failed with "NOT NULL constraint failed" on Debian 12;
    before 3.38 it has no such function. It is added on Python 3.11 too, because another Python may
    have created the tables.
    """
    if sqlite3.sqlite_version_info >= _SQLITE_WITH_SUBSEC:
        return
    if not event.contains(Engine, "connect", _add_unixepoch):
        event.listen(Engine, "connect", _add_unixepoch)


def _add_unixepoch(connection: object, _record: object) -> None:
    if isinstance(
        connection, sqlite3.Connection
    ):  # the event is global: a caller of the library may use other databases
        connection.create_function("unixepoch", 1, _compute_unixepoch)


def _compute_unixepoch(modifier: object) -> float:
    """Return the seconds since 1970, rounded down to milliseconds, as SQLite 3.42 does."""
    if modifier not in ("subsec", "subsecond"):
        raise ValueError(f"unixepoch({modifier!r}) is not provided for this old SQLite")
    return time.time_ns() // 1_000_000 / 1000
