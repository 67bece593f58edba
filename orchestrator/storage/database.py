"""Read and write the database of all runs: SQLite in the state directory, or Postgres at a URL.

The module `opening` opens it. Statements use `?` as the placeholder, and must work in both. The
class is thread-safe: a transaction has exclusive use of the connection.
"""

import threading
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from orchestrator.errors import RefusedValueError
from orchestrator.storage.engines import Engine, Postgres, SQLite, Value
from orchestrator.storage.state_directory import create_state_folders, read_database_url

Row = tuple[Any, ...]


class Database:
    """A connection to the database; `opening.open_database` also creates the tables.

    Each method raises InfrastructureError when the database fails.

    Args:
        directory: the state directory.
        url: the URL of a Postgres database; empty for SQLite in the state directory. The value of
            `ORCHESTRATOR_DATABASE_URL` if None.
        durable: whether a commit survives a power failure, and not only a crash of the process.

    Raises:
        InfrastructureError: the database or the state directory cannot be used.
    """

    def __init__(self, directory: Path, url: str | None = None, *, durable: bool = True) -> None:
        self.directory = directory
        self._mutex = threading.RLock()
        self._in_transaction = False
        create_state_folders(directory)
        url = read_database_url() if url is None else url
        self.url = url
        self._engine: Engine = (
            Postgres(url, durable=durable) if url else SQLite(directory, durable=durable)
        )

    def __enter__(self) -> "Database":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        with self._mutex:
            self._engine.close()

    @property
    def is_local(self) -> bool:
        """Whether the database is a file in the state directory, used only by this machine."""
        return isinstance(self._engine, SQLite)

    def fetch_rows(self, statement: str, values: Sequence[Value] = ()) -> list[Row]:
        """Return all rows of a query."""
        with self._mutex, self._explain_errors():
            execute = self._engine.execute if self._in_transaction else self._engine.execute_alone
            return list(execute(statement, _convert_values(values)).fetchall())

    def write(self, statement: str, values: Sequence[Value] = ()) -> int:
        """Execute a statement in a transaction; return how many rows it changed."""
        with self.transaction(), self._explain_errors():
            return int(self._execute(statement, values).rowcount)

    def write_many(self, statement: str, values: Iterable[Sequence[Value]]) -> None:
        """Execute a statement once for each sequence of values, in one transaction."""
        with self.transaction(), self._explain_errors():
            for each in values:
                self._execute(statement, each)

    @contextmanager
    def transaction(self) -> Iterator["Database"]:
        """Commit everything that is written in the block, or nothing; blocks can be nested."""
        with self._mutex:
            if self._in_transaction:  # the outermost block commits or rolls back
                yield self
                return
            self._in_transaction = True
            try:
                # Inside `try`: Ctrl-C may raise at any point, even right after acquiring the lock.
                with self._explain_errors():
                    self._engine.begin()
                yield self
                with self._explain_errors():
                    self._engine.execute("COMMIT", ())
            except BaseException:
                self._roll_back()
                raise
            finally:
                self._in_transaction = False

    def _roll_back(self) -> None:
        with suppress(self._engine.errors):  # SQLite rolls back by itself when the disk is full
            if self._engine.in_transaction:
                self._engine.execute("ROLLBACK", ())

    def _execute(self, statement: str, values: Sequence[Value]) -> Any:  # noqa: ANN401 -- a cursor
        return self._engine.execute(statement, _convert_values(values))

    @contextmanager
    def _explain_errors(self) -> Iterator[None]:
        try:
            yield
        except self._engine.refusals as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise RefusedValueError(f"the database does not take a value: {reason}") from error
        except self._engine.errors as error:
            raise self._engine.explain_error(error) from error

    @contextmanager
    def explain_damage(self) -> Iterator[None]:
        """Turn errors of decoding stored values in the block into one that says what to do.

        A damaged database may still be readable for SQLite: it does not check values.

        Raises:
            InfrastructureError: a value has the wrong type or form.
        """
        try:
            yield
        except (ValueError, TypeError, LookupError, RecursionError, zlib.error) as error:
            raise self._engine.explain_damage(error) from error

    def has_table(self, name: str) -> bool:
        """Return whether a table exists."""
        with self._mutex, self._explain_errors():
            return self._engine.has_table(name)

    def run_script(self, script: str) -> None:
        """Execute statements separated by `;`, with the engine's types for the placeholders."""
        for statement in filter(str.strip, script.split(";")):
            with self._explain_errors():
                self._engine.execute(statement.format(**self._engine.types), ())


def _convert_values(values: Sequence[Value]) -> list[Value]:
    return [normalize_text(each) if isinstance(each, str) else each for each in values]


def normalize_text(text: str) -> str:
    """Return text as it will be read from the database: valid Unicode without NUL characters.

    Neither database stores lone surrogates, and Postgres refuses NUL.
    """
    try:
        # Surrogates from `surrogateescape`: they stand for bytes that were not UTF-8.
        valid = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:
        # Other lone surrogates, such as half of an emoji that was cut in two.
        valid = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return valid.replace("\0", "")
