"""Durable runs: the one module that knows DBOS.

A run is carried by one DBOS workflow after the other: the first carries it until it ends or its
process dies, and each `resume` begins another one under the same run. A workflow that follows is
given what those before it finished, and copies it into its own steps. It may die before it has
copied all, so what all of them finished counts, and not only the newest. A step that failed is no
result, and is done again.

DBOS takes up by itself what its own executor id left behind. Each process has an id of its own, so
that never happens here: a run is taken up only by `resume`, under its lock, once its owner is gone.
"""

import contextlib
import logging
import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from orchestrator import codec
from orchestrator.storage.place import unusable

# A console handler of DBOS's own would print into the output of whoever uses us.
logging.getLogger("dbos").addHandler(logging.NullHandler())

T = TypeVar("T")

STATE_FORMAT: Final = "1"
"""Goes up when a step's name or result changes its meaning. It is DBOS's application version."""

DATABASE: Final = "dbos.sqlite"

_POLL_SECONDS: Final = 0.1
"""How often DBOS's threads look up; ending them takes as long."""


_SQLITE_WITH_SUBSEC: Final = (3, 42, 0)
"""The first SQLite whose `unixepoch` knows `subsec` (https://sqlite.org/lang_datefunc.html)."""


class CallFailedError(Exception):
    """What DBOS hears when a step or a run raises; the cause goes its own way."""


class DurableRuns:
    """DBOS on the state directory, while its `with` block runs.

    Args:
        directory: where the database of workflows is, or will be.

    Raises:
        InfrastructureError: the directory cannot be used, as with a full disk; also from `carry`.
    """

    def __init__(self, directory: Path) -> None:
        config: DBOSConfig = {
            "name": "prompt-learning-loop",
            "system_database_url": f"sqlite:///{directory / DATABASE}",
            "application_version": STATE_FORMAT,
            "executor_id": f"{os.getpid()}-{uuid.uuid4().hex}",
            "notification_listener_polling_interval_sec": _POLL_SECONDS,
            "scheduler_polling_interval_sec": _POLL_SECONDS,
            "log_level": "CRITICAL",
        }
        self._directory = directory
        _provide_unixepoch()
        with self._explained():
            _use_write_ahead_log(directory / DATABASE)
            try:
                DBOS(config=config)
                DBOS.launch()
            except BaseException:
                DBOS.destroy()  # or its threads go on, and the next DBOS(config) gives this one
                raise

    def __enter__(self) -> "DurableRuns":
        return self

    def __exit__(self, *_: object) -> None:
        DBOS.destroy()

    def carry(self, run: str, body: Callable[["DurableJournal"], T]) -> T:
        """Carry a run in a workflow of its own; `body` gets the journal.

        What `body` raises comes out as it is. A run that ends so, or whose process dies, can be
        carried again: what was finished is not repeated.
        """
        with self._explained():
            earlier = list(self._workflows(run))
            finished: dict[str, str] = {}
            for workflow in earlier:
                finished |= _finished(workflow)
                DBOS.cancel_workflow(workflow)
            call = _Call(lambda: body(DurableJournal(finished)))
            _bodies[run] = call
            try:
                with SetWorkflowID(f"{run}.{len(earlier) + 1}"):
                    _carry(run)
            except CallFailedError:
                raise call.cause from None
            finally:
                del _bodies[run]
            return call.result

    def history(self, run: str) -> list[dict[str, str]]:
        """What each workflow of a run finished, the oldest first: results as text, by step."""
        return [_finished(workflow) for workflow in self._workflows(run)]

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (IntegrityError, ProgrammingError):
            raise  # a statement that is wrong is a bug, and no fault of the directory
        except DBAPIError as error:
            raise unusable(self._directory, error.orig or error) from error

    def _workflows(self, run: str) -> Iterator[str]:
        number = 1
        while DBOS.get_workflow_status(f"{run}.{number}"):
            yield f"{run}.{number}"
            number += 1


def _use_write_ahead_log(database: Path) -> None:
    """Let a commit wait for the disk once, and not three times: each step of a run is one.

    The file itself remembers it, for every later connection (https://sqlite.org/wal.html). Where
    another process holds the database just now, a later start does it.
    """
    with (
        contextlib.suppress(sqlite3.Error),  # of an unusable database DBOS says more
        contextlib.closing(sqlite3.connect(database, timeout=1.0)) as connection,
    ):
        connection.execute("PRAGMA journal_mode = WAL")


def _provide_unixepoch() -> None:
    """Give DBOS's connections the function `unixepoch('subsec')` where SQLite is too old for it.

    DBOS on Python 3.12 and later asks for it, in statements and in the defaults of its tables.
    SQLite answers NULL before 3.42, and knows no such function before 3.38. On Python 3.11 too,
    because the tables may have been made by a later one.
    """
    if sqlite3.sqlite_version_info >= _SQLITE_WITH_SUBSEC:
        return
    if not event.contains(Engine, "connect", _add_unixepoch):
        event.listen(Engine, "connect", _add_unixepoch)


def _add_unixepoch(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection):  # others may use SQLAlchemy beside us
        connection.create_function("unixepoch", 1, _unixepoch)


def _unixepoch(modifier: object) -> float:
    """Return the seconds since 1970 in milliseconds' steps, as SQLite 3.42 does for `subsec`."""
    if modifier not in ("subsec", "subsecond"):
        raise ValueError(f"unixepoch({modifier!r}) is not provided for this old SQLite")
    return time.time_ns() // 1_000_000 / 1000


class DurableJournal:
    """A journal whose finished steps outlive the process.

    Args:
        finished: the stored results of steps that an earlier process finished, by name.
    """

    def __init__(self, finished: Mapping[str, str]) -> None:
        self._finished = finished

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and keep its result, or give the one that was kept."""
        if name in self._finished:
            text = DBOS.run_step({"name": name}, lambda: self._finished[name])
            return codec.loads(text)  # type: ignore[no-any-return] # the type stands in the text
        call = _Call(function)
        try:
            DBOS.run_step({"name": name}, call)
        except CallFailedError:
            raise call.cause from None
        return call.result


class _Call(Generic[T]):
    """A call of which DBOS sees the result as text, and of an error only that there was one.

    So what is stored is readable, and an error need not survive being pickled.
    """

    __name__ = "call"  # DBOS asks for a function's name

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self.result: T
        self.cause: Exception

    def __call__(self) -> str:
        try:
            self.result = self._function()
            return codec.dumps(self.result)
        except Exception as error:  # noqa: BLE001 -- whatever it is, it goes its own way
            self.cause = error
            raise CallFailedError(type(error).__name__) from None


_bodies: dict[str, _Call[Any]] = {}


@DBOS.workflow(name="run")
def _carry(run: str) -> str:
    return _bodies[run]()


def _finished(workflow: str) -> dict[str, str]:
    steps = DBOS.list_workflow_steps(workflow)
    return {step["function_name"]: str(step["output"]) for step in steps if not step["error"]}
