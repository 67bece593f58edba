"""`rules.db` in the state directory: its tables, its transactions, and its failures in words."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import InfrastructureError
from orchestrator.store import STATE_VARIABLE, close_on_error

_MIGRATIONS: Final = (
    """
    CREATE TABLE rules (
        book TEXT NOT NULL, id TEXT NOT NULL,
        rule TEXT NOT NULL, whenever TEXT NOT NULL, why TEXT NOT NULL, source TEXT NOT NULL,
        status TEXT NOT NULL, reason TEXT NOT NULL, origin TEXT NOT NULL, proposal TEXT NOT NULL,
        learned TEXT NOT NULL, mattered TEXT NOT NULL, suggestion TEXT NOT NULL,
        PRIMARY KEY (book, id)
    );
    CREATE TABLE events (
        book TEXT NOT NULL, rule TEXT NOT NULL, at TEXT NOT NULL,
        what TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE INDEX events_of_a_rule ON events (book, rule);
    CREATE TABLE attempts (
        book TEXT NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL,
        at TEXT NOT NULL, solved INTEGER, failure TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (book, run, number)
    );
    CREATE TABLE exposures (
        book TEXT NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL, rule TEXT NOT NULL,
        PRIMARY KEY (book, run, number, rule)
    );
    CREATE INDEX exposures_of_a_rule ON exposures (book, rule);
    """,
    """
    ALTER TABLE rules ADD COLUMN paths TEXT NOT NULL DEFAULT '[]';
    UPDATE rules SET origin =
        json_set(origin, '$.summary', json_extract(origin, '$.cases'), '$.cases', json('[]')),
        proposal = json_remove(proposal, '$.diff');
    CREATE TABLE agreed (
        book TEXT NOT NULL, rule TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (book, rule)
    );
    CREATE TABLE refusals (
        book TEXT NOT NULL, fingerprint TEXT NOT NULL, rule TEXT NOT NULL, text TEXT NOT NULL,
        at TEXT NOT NULL, PRIMARY KEY (book, fingerprint)
    );
    """,
)
"""Applied in order; `PRAGMA user_version` counts those that were."""

Row = tuple[Any, ...]


class Database:
    """The rules of all projects, for one process.

    Each method raises InfrastructureError when the database cannot be read or written.

    Args:
        directory: the state directory.

    Raises:
        InfrastructureError: it cannot be used, or was written by a later version.
    """

    def __init__(self, directory: Path) -> None:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Events of one run can come from more than one thread, never two at a time.
            self._connection = sqlite3.connect(
                directory / "rules.db", timeout=30, isolation_level=None, check_same_thread=False
            )
            with close_on_error(self._connection):
                self._migrate(directory)
        except (OSError, sqlite3.Error) as error:
            # sqlite3 raises the class itself only for a file that is no database.
            foreign = type(error) is sqlite3.DatabaseError
            mend = "move rules.db away" if foreign else f"free space there, or set {STATE_VARIABLE}"
            raise InfrastructureError(
                f"the state directory {directory} cannot be used: {error}", mend
            ) from error

    def close(self) -> None:
        """Close it."""
        self._connection.close()

    def rows(self, statement: str, values: Sequence[object] | Mapping[str, object]) -> list[Row]:
        """Read."""
        with _explained():
            return self._connection.execute(statement, values).fetchall()

    def write(self, statement: str, values: Sequence[object]) -> int:
        """Write, in a transaction; give the number of rows."""
        with self.transaction(), _explained():
            return self._connection.execute(statement, values).rowcount

    def write_all(self, statement: str, values: Iterable[Sequence[object]]) -> None:
        """Write the same for many values, in a transaction."""
        with self.transaction(), _explained():
            self._connection.executemany(statement, values)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written within it, or nothing; one within another is part of it."""
        if self._connection.in_transaction:
            yield
            return
        with _explained():
            self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.rollback()
            raise
        with _explained():
            self._connection.commit()

    def _migrate(self, directory: Path) -> None:
        self._connection.execute("PRAGMA journal_mode = WAL")
        with self.transaction():
            done = int(self._connection.execute("PRAGMA user_version").fetchone()[0])
            if done > len(_MIGRATIONS):
                raise InfrastructureError(
                    f"{directory} was written by a later version", "upgrade, or set another"
                )
            for script in _MIGRATIONS[done:]:
                for statement in filter(str.strip, script.split(";")):
                    self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise InfrastructureError(
            f"the history of rules cannot be used: {error}", "make room, then try again"
        ) from error
