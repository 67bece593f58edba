"""Connect to SQLite or Postgres, which differ in transactions, types and errors.

Statements use `?` for values; both engines understand the rest of them.
"""

import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from orchestrator.errors import DatabaseAwayError, InfrastructureError
from orchestrator.masking import REDACTED
from orchestrator.storage import schema
from orchestrator.storage.state_directory import (
    URL_VARIABLE,
    build_damage_error,
    build_state_error,
    create_private_file,
)

T = TypeVar("T")
Value = str | bytes | int | float | None

DATABASE: Final = "state.db"
"""The SQLite file in the state directory."""

_BUSY_SECONDS: Final = 30.0
_ABSENCE_SECONDS: Final = 60.0
"""How long a server may be away that was there before, as when it is started again."""
_RETRY_SECONDS: Final = 0.2
_WRITER_LOCK_KEY: Final = 0x504C4C  # arbitrary, but the same in every process
"""Key of the advisory lock that lets one transaction write at a time in Postgres, as in SQLite.
Spending limits over all runs need it: they are read and used up in one transaction."""


class Engine(Protocol):
    """A connection to a database, and what differs between the two kinds of database."""

    @property
    def errors(self) -> type[Exception]:
        """The base class of the errors it raises."""

    @property
    def refusals(self) -> tuple[type[Exception], ...]:
        """Those that it raises for a value that it does not take."""

    @property
    def types(self) -> Mapping[str, str]:
        """Its names for the types that `schema` leaves open."""

    def execute(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        """Execute a statement."""

    def execute_alone(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        """Execute a statement outside of a transaction, over a new connection if need be."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def begin(self) -> None:
        """Begin a transaction, as `execute_alone`; nobody else writes until its end."""

    def has_table(self, name: str) -> bool:
        """Return whether a table exists."""

    def explain_error(self, error: Exception) -> InfrastructureError:
        """Return the error to raise for an error of the database, with a hint."""

    def explain_damage(self, error: Exception) -> InfrastructureError:
        """Return the error to raise for a stored value that cannot be read."""

    def close(self) -> None:
        """Close the connection."""


class SQLite:
    """The file `state.db` in the state directory."""

    errors = sqlite3.Error
    refusals = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError)
    types = schema.SQLITE

    def __init__(self, directory: Path, *, durable: bool) -> None:
        self._directory = directory
        try:
            create_private_file(directory / DATABASE)
            self._connection = sqlite3.connect(
                directory / DATABASE,
                timeout=_BUSY_SECONDS,
                isolation_level=None,
                check_same_thread=False,  # `Database` lets one thread in at a time
            )
        except sqlite3.Error as error:
            raise self.explain_error(error) from error
        try:
            # In WAL mode (https://sqlite.org/wal.html) readers do not wait for a writer, and a
            # commit waits for the disk once with FULL and never with NORMAL. FULL for money: if a
            # power failure lost a bill, the same budget would be spent again.
            if self._connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                # "database is locked" here: another process switches it at the same moment, and
                # the mode is a property of the file.
                with suppress(sqlite3.OperationalError):
                    self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            # What is replaced or deleted is overwritten: a row may turn out to hold a secret.
            self._connection.execute("PRAGMA secure_delete = ON")
        except sqlite3.Error as error:
            self._connection.close()
            raise self.explain_error(error) from error

    def execute(self, statement: str, values: Sequence[Value]) -> sqlite3.Cursor:
        """Execute a statement."""
        return self._connection.execute(statement, values)

    execute_alone = execute

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return self._connection.in_transaction

    def begin(self) -> None:
        """Begin a transaction; nobody else writes until its end."""
        # A plain BEGIN takes the write lock at the first write. If another process has committed
        # since the first read, that fails at once with "database is locked", whatever the timeout.
        self._connection.execute("BEGIN IMMEDIATE")

    def has_table(self, name: str) -> bool:
        """Return whether a table exists."""
        query = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self._connection.execute(query, (name,)).fetchone())

    def explain_error(self, error: Exception) -> InfrastructureError:
        """Return the error to raise for an error of the database, with a hint."""
        if "locked" in str(error):
            return InfrastructureError(
                f"another process has been writing to {self._directory / DATABASE} for too long",
                "wait for it, or end it",
            )
        # The base class itself is raised only for a file that is not a database, or is damaged;
        # SQLITE_ERROR for tables that are not those of `schema`.
        name = getattr(error, "sqlite_errorname", "")
        if type(error) is sqlite3.DatabaseError or name == "SQLITE_ERROR":
            return build_damage_error(self._directory / DATABASE, error)
        return build_state_error(self._directory, error)

    def explain_damage(self, error: Exception) -> InfrastructureError:
        """Return the error to raise for a stored value that cannot be read."""
        return build_damage_error(self._directory / DATABASE, error)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def find_url_secrets(url: str) -> list[str]:
    """Return the password in a URL and its parts between `@` signs, the longest first.

    A password with an unescaped `@` is read by psycopg as part of the host.
    """
    password = url.partition("//")[2].rpartition("@")[0].partition(":")[2]
    return sorted({password, *password.split("@")} - {""}, key=len, reverse=True)


def describe_postgres_error(error: Exception, secrets: Sequence[str]) -> InfrastructureError:
    """Return the error for a Postgres that cannot be used, without the secrets of its URL."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    for secret in secrets:  # psycopg quotes parts of a URL that it cannot parse
        line = line.replace(secret, REDACTED)
    return InfrastructureError(
        f"the database of {URL_VARIABLE} cannot be used: {line}",
        f"start it, correct the address, or unset {URL_VARIABLE}",
    )


class Postgres:
    """A Postgres database, by its URL."""

    types = schema.POSTGRES

    def __init__(self, url: str, *, durable: bool) -> None:
        import psycopg

        self.errors: type[Exception] = psycopg.Error
        self.refusals: tuple[type[Exception], ...] = (
            *(psycopg.IntegrityError, psycopg.DataError, OverflowError),
            psycopg.errors.ProgramLimitExceeded,  # too long for an index
        )
        self._url, self._durable = url, durable
        self._secrets = find_url_secrets(url)
        self._is_over = False
        try:
            self._connection = self._connect()
        except psycopg.Error as error:
            raise describe_postgres_error(error, self._secrets) from error

    def _connect(self) -> Any:  # noqa: ANN401 -- a connection
        import psycopg

        connection = psycopg.connect(self._url, autocommit=True, connect_timeout=10)
        if not self._durable:
            connection.execute("SET synchronous_commit = off")
        return connection

    def _repeat(self, action: Callable[[], T]) -> T:
        """Do something outside of a transaction, again when a server that was away is back."""
        deadline = time.monotonic() + _ABSENCE_SECONDS
        while True:
            try:
                if self._connection.closed and not self._is_over:
                    self._connection = self._connect()
                return action()
            except self.errors:
                is_broken = self._connection.closed and not self._is_over
                if not is_broken or time.monotonic() >= deadline:
                    raise
            time.sleep(_RETRY_SECONDS)

    def execute(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        """Execute a statement."""
        return self._connection.execute(statement.replace("?", "%s").encode(), values or None)

    def execute_alone(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        """Execute a statement outside of a transaction, over a new connection if need be."""
        return self._repeat(lambda: self.execute(statement, values))

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return not self._connection.closed and self._connection.info.transaction_status != 0

    def has_table(self, name: str) -> bool:
        """Return whether a table exists."""
        # Not `to_regclass`: asked before a wait for a lock and again after it, it may still miss
        # the table that another process has created in between.
        query = (
            "SELECT 1 FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname = %s AND n.nspname = current_schema()"
        )
        return self._connection.execute(query, (name,)).fetchone() is not None

    def begin(self) -> None:
        """Begin a transaction, as `execute_alone`; nobody else writes until its end."""
        self._repeat(self._begin)

    def _begin(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITER_LOCK_KEY,))

    def explain_error(self, error: Exception) -> InfrastructureError:
        """Return the error to raise for an error of the database, with a hint."""
        found = describe_postgres_error(error, self._secrets)
        return DatabaseAwayError(found.message, found.hint) if self._connection.closed else found

    def explain_damage(self, error: Exception) -> InfrastructureError:
        """Return the error to raise for a stored value that cannot be read."""
        return InfrastructureError(
            f"the database of {URL_VARIABLE} holds a value that cannot be read: "
            f"{' '.join(str(error).split())}",
            "restore it from a backup",
        )

    def close(self) -> None:
        """Close the connection."""
        self._is_over = True
        self._connection.close()
