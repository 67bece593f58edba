"""One database for the whole record: SQLite in the state directory, or a Postgres by its URL.

Statements are written once, with `?` for values; both understand them. Any thread may call: a
transaction has the connection for itself.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final, Protocol

from orchestrator.errors import InfrastructureError
from orchestrator.masking import REDACTED
from orchestrator.storage import schema
from orchestrator.storage.state_directory import (
    URL_VARIABLE,
    build_state_error,
    create_private_file,
    create_state_folders,
    read_database_url,
)

Row = tuple[Any, ...]
Value = str | bytes | int | float | None

DATABASE: Final = "state.db"

_BUSY_SECONDS: Final = 30.0
_WRITER_LOCK_KEY: Final = 0x504C4C  # any number that is ours
"""The key of the advisory lock that lets one transaction write at a time in Postgres, as SQLite
does: limits over all runs are read and used up in one."""


class _Engine(Protocol):
    """What the two databases do in ways of their own."""

    @property
    def errors(self) -> type[Exception]:
        """What it raises."""

    @property
    def types(self) -> Mapping[str, str]:
        """What a type is called in it."""

    def execute(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        """Carry a statement out."""

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""

    def begin(self) -> None:
        """Begin a transaction in which nobody else writes."""

    def has_table(self, name: str) -> bool:
        """Return whether there is a table."""

    def explain_error(self, error: Exception) -> InfrastructureError:
        """Return the one line for an error."""

    def close(self) -> None:
        """Close the connection."""


class Database:
    """The record, open. Whoever opens one closes it, best by `with`.

    Each method raises InfrastructureError when the database fails.

    Args:
        directory: the state directory.
        url: of a Postgres database; what `ORCHESTRATOR_DATABASE_URL` says if None, and SQLite in
            the state directory if that is empty.
        durable: whether what is written outlives a power cut, and not only the process.

    Raises:
        InfrastructureError: it cannot be used, or was written by a later version.
    """

    def __init__(self, directory: Path, url: str | None = None, *, durable: bool = True) -> None:
        self.directory = directory
        self._mutex = threading.RLock()
        self._within = False
        create_state_folders(directory)
        url = read_database_url() if url is None else url
        self._engine: _Engine = (
            _Postgres(url, durable=durable) if url else _SQLite(directory, durable=durable)
        )
        try:
            self._migrate_schema()
        except BaseException:
            self.close()  # nobody owns it yet
            raise

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close it."""
        with self._mutex:
            self._engine.close()

    @property
    def is_local(self) -> bool:
        """Whether it is the file in the state directory."""
        return isinstance(self._engine, _SQLite)

    def fetch_rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Read."""
        with self._mutex, self._explain_errors():
            return list(self._execute(statement, values).fetchall())

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Write, in a transaction; return the number of rows."""
        with self.transaction(), self._explain_errors():
            return int(self._execute(statement, values).rowcount)

    def write_many(self, statement: str, values: Iterable[Sequence[Value]]) -> None:
        """Write the same for many values, in a transaction."""
        with self.transaction(), self._explain_errors():
            for each in values:
                self._execute(statement, each)

    @contextmanager
    def transaction(self) -> Iterator["Database"]:
        """Write all that is written within it, or nothing; one within another is part of it."""
        with self._mutex:
            if self._within:  # the outermost decides
                yield self
                return
            self._within = True
            try:
                # A signal may come at any point of it, also just when the lock was got.
                with self._explain_errors():
                    self._engine.begin()
                yield self
                with self._explain_errors():
                    self._engine.execute("COMMIT", ())
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._within = False

    def _roll_back(self) -> None:
        with suppress(self._engine.errors):  # a full disk does it by itself
            if self._engine.in_transaction:
                self._engine.execute("ROLLBACK", ())

    def _execute(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        return self._engine.execute(statement, [_convert_value(each) for each in values])

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except (self._engine.errors, OverflowError) as error:
            raise self._engine.explain_error(error) from error

    def _migrate_schema(self) -> None:
        if self._read_version() == len(schema.MIGRATIONS):
            return  # without a transaction: whoever only reads waits for nobody
        with self.transaction():
            done = self._read_version()  # another process may have been first
            if done > len(schema.MIGRATIONS):
                raise InfrastructureError(
                    f"{self.directory} was written by a later version", "upgrade, or set another"
                )
            self._run_script(
                "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER, at {real})"
            )
            for script in schema.MIGRATIONS[done:]:
                self._run_script(script)
            if not done and self.is_local:
                from orchestrator.storage.takeover import import_earlier_data

                import_earlier_data(self)
            self.write("DELETE FROM schema_version")
            self.write(
                "INSERT INTO schema_version VALUES (?, ?)", (len(schema.MIGRATIONS), time.time())
            )
        if not done and self.is_local:
            from orchestrator.storage.takeover import archive_earlier_files

            archive_earlier_files(self)

    def _read_version(self) -> int:
        with self._mutex, self._explain_errors():
            if not self._engine.has_table("schema_version"):
                return 0
        found = self.fetch_rows("SELECT version FROM schema_version")
        return int(found[0][0]) if found else 0

    def _run_script(self, script: str) -> None:
        for statement in filter(str.strip, script.split(";")):
            with self._explain_errors():
                self._engine.execute(statement.format(**self._engine.types), ())


def _convert_value(value: Value) -> Value:
    return normalize_text(value) if isinstance(value, str) else value


def normalize_text(text: str) -> str:
    """Return a text as a database gives it back: it has to be text, and holds no NUL."""
    # Bytes that are not UTF-8 stay in people's files, and half a character says nothing.
    try:
        whole = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\0", "")


class _SQLite:
    errors = sqlite3.Error
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
            # https://sqlite.org/wal.html: readers wait for no writer, and a commit for the disk
            # once with FULL, or never: a bill that a power cut loses would be spent again.
            if self._connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                with suppress(sqlite3.OperationalError):  # another process does it just now
                    self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
        except sqlite3.Error as error:
            self._connection.close()
            raise self.explain_error(error) from error

    def execute(self, statement: str, values: Sequence[Value]) -> sqlite3.Cursor:
        return self._connection.execute(statement, values)

    @property
    def in_transaction(self) -> bool:
        return self._connection.in_transaction

    def begin(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")

    def has_table(self, name: str) -> bool:
        asked = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?"
        return bool(self._connection.execute(asked, (name,)).fetchone())

    def explain_error(self, error: Exception) -> InfrastructureError:
        if "locked" in str(error):
            return InfrastructureError(
                f"another process has been writing to {self._directory / DATABASE} for too long",
                "wait for it, or end it",
            )
        # sqlite3 raises the class itself only for a file that is no database.
        if type(error) is sqlite3.DatabaseError:
            path = self._directory / DATABASE
            return InfrastructureError(f"{path} cannot be used: {error}", f"move {DATABASE} away")
        return build_state_error(self._directory, error)

    def close(self) -> None:
        self._connection.close()


def _find_url_secrets(url: str) -> list[str]:
    """Return what a URL says before its host, and the parts of it, the longest first."""
    said = url.partition("//")[2].rpartition("@")[0].partition(":")[2]
    return sorted({said, *said.split("@")} - {""}, key=len, reverse=True)


class _Postgres:
    types = schema.POSTGRES

    def __init__(self, url: str, *, durable: bool) -> None:
        import psycopg

        self.errors: type[Exception] = psycopg.Error
        self._secrets = _find_url_secrets(url)
        try:
            self._connection = psycopg.connect(url, autocommit=True, connect_timeout=10)
            if not durable:
                self._connection.execute("SET synchronous_commit = off")
        except psycopg.Error as error:
            raise self.explain_error(error) from error

    def execute(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        return self._connection.execute(statement.replace("?", "%s").encode(), values or None)

    @property
    def in_transaction(self) -> bool:
        return not self._connection.closed and self._connection.info.transaction_status != 0

    def has_table(self, name: str) -> bool:
        # Not `to_regclass`: what it missed before a wait for a lock, it may miss after it.
        asked = (
            "SELECT 1 FROM pg_catalog.pg_class c"
            " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.relname = %s AND n.nspname = current_schema()"
        )
        return self._connection.execute(asked, (name,)).fetchone() is not None

    def begin(self) -> None:
        self._connection.execute("BEGIN")
        self._connection.execute("SELECT pg_advisory_xact_lock(%s)", (_WRITER_LOCK_KEY,))

    def explain_error(self, error: Exception) -> InfrastructureError:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        for secret in self._secrets:  # psycopg's words repeat parts of a URL that it cannot read
            first = first.replace(secret, REDACTED)
        return InfrastructureError(
            f"the database of {URL_VARIABLE} cannot be used: {first}",
            f"start it, correct the address, or unset {URL_VARIABLE}",
        )

    def close(self) -> None:
        self._connection.close()
