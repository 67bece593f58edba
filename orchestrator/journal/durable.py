"""Durable runs: the one module that knows DBOS.

A run is carried by one DBOS workflow after the other: the first carries it until it ends or its
process dies, and whoever takes it up starts another one under the same run. The input of each is
the run's id, and nothing else: any process that registered the workflow can execute it. It starts
with what those before it finished. A step that failed is no result, and is done again.

DBOS resumes by itself what its own executor id left behind. Each process has an id of its own, so
that never happens here: a run is carried on only by who asks for it, under its lock, once its
owner is gone. Should DBOS execute the same workflow again all the same, what that one finished
counts like what the earlier ones did.
"""

import atexit
import contextlib
import contextvars
import logging
import os
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID, StepInfo, WorkflowStatus
from dbos import error as dbos_errors
from sqlalchemy import Engine, event
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from orchestrator.errors import InfrastructureError, LostRunError, UsageError
from orchestrator.masking import mask_text
from orchestrator.storage import codec
from orchestrator.storage.runs import RUN_FORMAT
from orchestrator.storage.state_directory import (
    URL_VARIABLE,
    build_state_error,
    create_private_file,
    read_database_url,
)

# A console handler of DBOS's own would print into the output of whoever uses us.
logging.getLogger("dbos").addHandler(logging.NullHandler())

T = TypeVar("T")

DATABASE: Final = "dbos.sqlite"

_PENDING: Final = "PENDING"
"""DBOS's word for a workflow that is executed, or whose process died."""

_POLL_SECONDS: Final = 0.1
"""How often DBOS's threads look up; ending them takes as long."""

_SQLITE_WITH_SUBSEC: Final = (3, 42, 0)
"""The first SQLite whose `unixepoch` knows `subsec` (https://sqlite.org/lang_datefunc.html)."""


class CallFailedError(Exception):
    """What DBOS hears when a step or a run raises; the cause goes its own way."""


def workflows_url(state: Path) -> str:
    """Return the URL of the database of workflows: where the record is, or SQLite beside it.

    Raises:
        ConfigError: `ORCHESTRATOR_DATABASE_URL` names a database of another kind.
    """
    return read_database_url() or f"sqlite:///{state / DATABASE}"


# ---- DBOS in this process ------------------------------------------------------------------


class _Engine:
    """DBOS in this process: launched on first use, from one URL, and destroyed at exit.

    DBOS knows one database at a time. While a run is carried it stays; between runs another one
    may be asked for, as tests do.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._url = ""
        self._uses = 0

    @contextlib.contextmanager
    def serve(self, state: Path) -> Iterator[None]:
        """Have DBOS running on the database of a state directory.

        Raises:
            UsageError: this process carries a run of another database just now.
            InfrastructureError: the database cannot be used, as with a full disk; also for what
                the block raises.
        """
        url = workflows_url(state)
        with _explain_errors(state, url):
            with self._lock:
                self._switch_database(url, state)
                self._uses += 1
            try:
                yield
            finally:
                with self._lock:
                    self._uses -= 1

    def close(self) -> None:
        """Destroy DBOS, and close its database."""
        with self._lock:
            self._destroy()

    def _switch_database(self, url: str, state: Path) -> None:
        if url == self._url:
            return
        if self._uses:
            raise UsageError(
                f"this process carries a run of {mask_text(self._url)}, "
                f"and cannot use {mask_text(url)}",
                "wait until it ends, or use another process",
            )
        self._destroy()
        _provide_unixepoch()
        if url.startswith("sqlite"):
            _use_write_ahead_log(state / DATABASE)
        try:
            DBOS(config=_build_config(url))
            DBOS.listen_queues([])  # else each process would take jobs from every queue
            DBOS.launch()
        except BaseException:
            DBOS.destroy()  # or its threads go on, and the next DBOS(config) gives this one
            raise
        self._url = url
        atexit.register(self.close)

    def _destroy(self) -> None:
        if self._url:
            self._url = ""
            DBOS.destroy()
            atexit.unregister(self.close)


_engine: Final = _Engine()


def close_engine() -> None:
    """Destroy DBOS in this process, if it runs. The next run launches it again."""
    _engine.close()


def _build_config(url: str) -> DBOSConfig:
    return {
        "name": "prompt-learning-loop",
        "system_database_url": url,
        "application_version": RUN_FORMAT,
        "executor_id": f"{os.getpid()}-{uuid.uuid4().hex}",
        "notification_listener_polling_interval_sec": _POLL_SECONDS,
        "scheduler_polling_interval_sec": _POLL_SECONDS,
        "log_level": "CRITICAL",
    }


@contextlib.contextmanager
def _explain_errors(state: Path, url: str) -> Iterator[None]:
    try:
        yield
    except (IntegrityError, ProgrammingError):
        raise  # a statement that is wrong is a bug, and no fault of the database
    except DBAPIError as error:
        cause = error.orig or error
        if url.startswith("sqlite"):
            raise build_state_error(state, cause) from error
        said = " ".join(mask_text(str(cause)).split())
        raise InfrastructureError(
            f"the database {mask_text(url)} cannot be used: {said}",
            f"start it, or mend {URL_VARIABLE}",
        ) from error


def _use_write_ahead_log(database: Path) -> None:
    """Let a commit wait for the disk once, and not three times: each step of a run is one.

    The file itself remembers it, for every later connection (https://sqlite.org/wal.html). Where
    another process holds the database just now, a later start does it.
    """
    create_private_file(database)
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
        connection.create_function("unixepoch", 1, _compute_unixepoch)


def _compute_unixepoch(modifier: object) -> float:
    """Return the seconds since 1970 in milliseconds' steps, as SQLite 3.42 does for `subsec`."""
    if modifier not in ("subsec", "subsecond"):
        raise ValueError(f"unixepoch({modifier!r}) is not provided for this old SQLite")
    return time.time_ns() // 1_000_000 / 1000


# ---- workflows and their steps -------------------------------------------------------------


class DurableWorkflow:
    """A workflow that DBOS knows by its name, in each process that makes it.

    Args:
        name: the same in all processes; it stands in the database.
        body: gets a run's id, and a function that opens the journal of the run's steps, to be
            called once this process owns the run. It finds all else by the id.
    """

    def __init__(
        self, name: str, body: "Callable[[str, Callable[[], DurableJournal]], str]"
    ) -> None:
        def execute(run: str) -> str:
            try:
                return body(run, lambda: _open_journal(run))
            except Exception as error:
                raise CallFailedError(type(error).__name__) from error

        self._execute = DBOS.workflow(name=name)(execute)

    def execute(self, run: str, state: Path) -> str:
        """Carry a run in a workflow of its own, in this thread, and return what the body does.

        What the body raises comes out as it is. A run that ends so, or whose process dies, can be
        carried again, by any process: what was finished is not repeated.

        Raises:
            LostRunError: another process has taken the run up since.
            UsageError: another process starts to carry the run, or this one uses another database.
            InfrastructureError: DBOS cannot use the database.
        """
        with _engine.serve(state):
            number = 1 + sum(1 for _ in _iter_workflows(run))
            try:
                with SetWorkflowID(f"{run}.{number}", workflow_id_reuse_policy="reject"):
                    return self._execute(run)
            except CallFailedError as failed:
                cause: BaseException = failed.__cause__ or failed
            except dbos_errors.DBOSAwaitedWorkflowCancelledError:
                cause = LostRunError(run)
            except dbos_errors.DBOSWorkflowIDInUseError:
                cause = UsageError(
                    f"another process takes up run {run} just now", "look with `orchestrator runs`"
                )
            raise cause  # here, so that it keeps its own cause and gets no context of ours


def read_history(run: str, state: Path) -> list[dict[str, str]]:
    """Return what each workflow of a run finished, the oldest first: results as text, by step.

    Raises:
        UsageError, InfrastructureError: DBOS cannot use the database.
    """
    with _engine.serve(state):
        return [
            _collect_results(DBOS.list_workflow_steps(each.workflow_id))
            for each in list(_iter_workflows(run))
        ]


def forget_runs(
    state: Path, has_ended: Callable[[str], bool], is_gone: Callable[[str], bool]
) -> None:
    """Remove the finished steps of runs that no process goes on with.

    Args:
        state: the state directory.
        has_ended: says of a run's id whether it has ended for good.
        is_gone: says so of a run whose process died, or may be just ending.

    Raises:
        UsageError, InfrastructureError: DBOS cannot use the database.
    """
    with _engine.serve(state):
        gone = []  # what is known is listed first: who pauses meanwhile is not among it
        for each in DBOS.list_workflows(load_input=False, load_output=False):
            run = each.workflow_id.rpartition(".")[0]
            if is_gone(run) if each.status == _PENDING else has_ended(run):
                gone.append(each.workflow_id)
        if gone:
            DBOS.delete_workflows(gone)


class DurableJournal:
    """A journal whose finished steps outlive the process.

    Args:
        finished: the stored results of steps that were finished earlier, by name.
    """

    def __init__(self, finished: Mapping[str, str]) -> None:
        self._finished = finished

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and keep its result, or give the one that was kept.

        Raises:
            LostRunError: another process has taken the run up since.
        """
        if name in self._finished:
            return codec.loads(self._finished[name])  # type: ignore[no-any-return] # the type stands in the text
        call = _Call(function)
        try:
            DBOS.run_step({"name": name}, call)
            return call.result
        except CallFailedError as failed:
            cause: BaseException = failed.__cause__ or failed
        except (
            dbos_errors.DBOSWorkflowCancelledError,
            dbos_errors.DBOSWorkflowConflictIDError,
        ):
            cause = LostRunError(str(DBOS.workflow_id).rpartition(".")[0])
        raise cause


class _Call(Generic[T]):
    """A call of which DBOS sees the result as text, and of an error only that there was one.

    So what is stored is readable, and an error need not survive being pickled.
    """

    __name__ = "call"  # DBOS asks for a function's name

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self.result: T

    def __call__(self) -> str:
        try:
            self.result = self._function()
            return codec.dumps(self.result)
        except Exception as error:
            raise CallFailedError(type(error).__name__) from error


def _open_journal(run: str) -> DurableJournal:
    """Take a run over from the workflows before this one, and open its journal.

    Should a process still execute one of them, it hears of it at its next step.

    The steps of this very workflow are there when DBOS executes it again. It numbers steps, so
    those numbers are used up first; DBOS gives what it has under them, and calls nothing.
    """
    own, finished = DBOS.workflow_id, dict[str, str]()
    # DBOS makes a step of what it is asked within a workflow's context.
    outside = contextvars.Context()
    for workflow in outside.run(lambda: list(_iter_workflows(run))):
        identity = workflow.workflow_id
        if identity != own and workflow.status == _PENDING:
            outside.run(DBOS.cancel_workflow, identity)
        steps = outside.run(DBOS.list_workflow_steps, identity)
        finished |= _collect_results(steps)
        for step in steps if identity == own else ():
            with contextlib.suppress(CallFailedError):
                DBOS.run_step({"name": step["function_name"]}, _fail_if_called)
    return DurableJournal(finished)


def _fail_if_called() -> str:
    raise AssertionError("DBOS has its result")


def _iter_workflows(run: str) -> Iterator[WorkflowStatus]:
    number = 1
    while status := DBOS.get_workflow_status(f"{run}.{number}"):
        yield status
        number += 1


def _collect_results(steps: Iterable[StepInfo]) -> dict[str, str]:
    return {step["function_name"]: str(step["output"]) for step in steps if not step["error"]}
