"""Durable runs: with `queues`, the only module that knows DBOS.

A run is executed by a sequence of DBOS workflows, `RUN.1`, `RUN.2`, and so on: the first executes
it until it ends or its process dies, and a process that continues the run starts the next one. The
only input of a workflow is the run's id, so any process that registered the workflow can execute
it. A workflow starts with the results of those before it. A step that failed has no result, and is
executed again.

On launch DBOS resumes the pending workflows of its own executor id. Each process has an id of its
own, so this never happens here: a run is continued only on request, under its lock, after its
owner is gone. If DBOS executes the same workflow again nevertheless, the steps that it finished
count like those of the earlier ones.

Longer than 350 lines: what is known about DBOS is in one place.
"""

import atexit
import contextlib
import contextvars
import logging
import os
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, Generic, TypeVar

from dbos import DBOS, DBOSConfig, SetWorkflowID, StepInfo, WorkflowStatus
from dbos import error as dbos_errors
from dbos._utils import GlobalParams

from orchestrator.errors import LostRunError, UsageError
from orchestrator.journal.database import (
    explain_errors,
    prepare_sqlite,
    provide_unixepoch,
    resolve_workflows_url,
)
from orchestrator.journal.service import RUN_WORKFLOW, Service
from orchestrator.masking import mask_text
from orchestrator.storage import codec
from orchestrator.storage.runs import RUN_FORMAT

# With DBOS__CLOUD in the environment, as in a user's own application, DBOS would take name and
# database from other variables instead of `_build_config`. It reads this one on import, and the
# children need it, so it is overruled here.
GlobalParams.dbos_cloud = False

# Without a handler DBOS adds one that prints to the console, into the output of our caller.
logging.getLogger("dbos").addHandler(logging.NullHandler())

T = TypeVar("T")

_PENDING: Final = "PENDING"
"""The status in DBOS of a workflow that is being executed, and of one whose process died."""

_POLL_SECONDS: Final = 0.1
"""Interval at which DBOS's threads check for work; destroying DBOS takes as long."""

_WORKER_POLL_SECONDS: Final = 2.0
"""The same in a worker, of which there may be a hundred at one database, each for days."""


class CallFailedError(Exception):
    """Stands for an error of a step or run towards DBOS, which pickles and stores what it sees.

    The cause is raised to the caller, around DBOS.
    """


# ---- DBOS in this process ------------------------------------------------------------------


class _Engine:
    """DBOS in this process: launched on first use, with one URL, and destroyed at exit.

    DBOS is a singleton with one database. It cannot be replaced during a run; between runs
    another one may be used, as tests do. Only a worker takes jobs from a queue.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._url = ""
        self._service: Service | None = None
        self._uses = 0

    @contextlib.contextmanager
    def use_database(self, state: Path, service: Service | None = None) -> Iterator[None]:
        """Run DBOS on the database of a state directory while the block runs.

        Args:
            state: the state directory.
            service: what this process takes jobs from; nothing if None. Within such a block,
                blocks without one use the same DBOS.

        Raises:
            UsageError: this process is executing a run of another database, or a run while it
                is asked to take jobs.
            InfrastructureError: the database cannot be used, as with a full disk; also for
                database errors in the block.
        """
        url = resolve_workflows_url(state)
        with explain_errors(state, url):
            with self._lock:
                self._switch_database(url, state, service)
                self._uses += 1
            try:
                yield
            finally:
                with self._lock:
                    self._uses -= 1

    def close(self) -> None:
        """Destroy DBOS and close its database."""
        with self._lock:
            self._destroy()

    def _switch_database(self, url: str, state: Path, service: Service | None) -> None:
        if url == self._url and service in (None, self._service):
            return
        if self._uses:
            wanted = "take jobs" if url == self._url else f"use {mask_text(url)}"
            raise UsageError(
                f"this process is executing a run of {mask_text(self._url)}, and cannot {wanted}",
                "wait until it ends, or use another process",
            )
        self._destroy()
        provide_unixepoch()
        if url.startswith("sqlite"):
            prepare_sqlite(state)
        try:
            DBOS(config=_build_config(url, service))
            # A process that launches DBOS takes jobs from every queue otherwise, and leaves those
            # whose workflow it does not know pending forever (DBOS 3.4).
            DBOS.listen_queues([service.queue] if service else [])
            DBOS.launch()
        except BaseException:
            DBOS.destroy()  # or its threads go on, and the next DBOS(config) returns this instance
            raise
        self._url, self._service = url, service
        atexit.register(self.close)

    def _destroy(self) -> None:
        if self._url:
            self._url, self._service = "", None
            DBOS.destroy()
            atexit.unregister(self.close)


_engine: Final = _Engine()
use_engine: Final = _engine.use_database


def close_engine() -> None:
    """Destroy DBOS in this process if it is running. The next run launches it again."""
    _engine.close()


def _build_config(url: str, service: Service | None) -> DBOSConfig:
    poll = _WORKER_POLL_SECONDS if service else _POLL_SECONDS
    return {
        "name": "prompt-learning-loop",
        "system_database_url": url,
        # DBOS would use a hash of the source, but runs outlive an upgrade of the program.
        "application_version": RUN_FORMAT,
        # DBOS resumes what the same executor id left behind. A process id may be given out again.
        "executor_id": service.executor if service else f"{os.getpid()}-{uuid.uuid4().hex}",
        "notification_listener_polling_interval_sec": poll,
        "scheduler_polling_interval_sec": poll,
        "log_level": "CRITICAL",
    }


# ---- workflows and their steps -------------------------------------------------------------


class DurableWorkflow:
    """A workflow that DBOS knows by its name, in each process that creates it.

    Args:
        name: the same in all processes; the database refers to it.
        body: takes a run's id, and a function that opens the journal of the run's steps, to be
            called when this process owns the run. Everything else is found by the id.
    """

    def __init__(
        self, name: str, body: "Callable[[str, Callable[[], DurableJournal]], str]"
    ) -> None:
        def execute_body(run: str) -> str:
            try:
                return body(run, lambda: _open_journal(run))
            except Exception as error:
                raise CallFailedError(type(error).__name__) from error

        self._execute = DBOS.workflow(name=name)(execute_body)

    def execute(self, run: str, state: Path) -> str:
        """Execute a run in a new workflow, in this thread, and return the body's result.

        Errors of the body are raised unchanged. A run that ended with one, or whose process died,
        can be executed again, by any process: finished steps are not repeated.

        Raises:
            LostRunError: another process has continued the run.
            UsageError: another process is starting the run, or this one uses another database.
            InfrastructureError: DBOS cannot use the database.
        """
        with _engine.use_database(state):
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
                    f"another process is starting run {run}", "check with `orchestrator runs`"
                )
            raise cause  # outside of the handler, which would set DBOS's error as its context


def read_history(run: str, state: Path) -> list[dict[str, str]]:
    """Return the finished steps of each workflow of a run, oldest first: stored results by name.

    Raises:
        UsageError, InfrastructureError: DBOS cannot use the database.
    """
    with _engine.use_database(state):
        return [
            _collect_results(DBOS.list_workflow_steps(each.workflow_id))
            for each in list(_iter_workflows(run))
        ]


def forget_runs(
    state: Path, has_ended: Callable[[str], bool], is_gone: Callable[[str], bool]
) -> None:
    """Delete the finished steps of runs that no process will continue.

    Args:
        state: the state directory.
        has_ended: takes a run's id; whether the run has ended for good.
        is_gone: the same for a workflow that is pending: its process died, or may be just ending.

    Raises:
        UsageError, InfrastructureError: DBOS cannot use the database.
    """
    with _engine.use_database(state):
        # Listed before any run is judged: a workflow that starts in between is not in the list.
        gone = []
        runs = DBOS.list_workflows(name=RUN_WORKFLOW, load_input=False, load_output=False)
        for each in runs:
            run = each.workflow_id.rpartition(".")[0]
            if is_gone(run) if each.status == _PENDING else has_ended(run):
                gone.append(each.workflow_id)
        if gone:
            DBOS.delete_workflows(gone)


class DurableJournal:
    """A journal whose results outlive the process.

    Args:
        finished: the stored results of the steps that were finished before, by name.
    """

    def __init__(self, finished: Mapping[str, str]) -> None:
        self._finished = finished

    def step(self, name: str, function: Callable[[], T]) -> T:
        """Call the function and store its result, or return the stored one.

        Raises:
            LostRunError: another process has continued the run.
        """
        if name in self._finished:
            return codec.loads(self._finished[name])  # type: ignore[no-any-return] # the text names the type
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
    """A call whose result DBOS sees as text, and whose error it sees only by its type's name.

    So the stored result is readable, and an error need not be picklable.
    """

    __name__ = "call"  # DBOS reads it as of any function

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
    """Cancel the workflows before this one, and open the journal with their results.

    A process that still executes one of them gets LostRunError at its next step.

    When DBOS executes this same workflow again, it already has steps. DBOS identifies a step by
    its number within the workflow, not by its name: the used numbers are consumed first, for which
    DBOS returns the stored results and calls nothing.
    """
    own, finished = DBOS.workflow_id, dict[str, str]()
    # Within a workflow's context DBOS records each query as a step of it.
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
    raise AssertionError("DBOS has the result of this step")


def _iter_workflows(run: str) -> Iterator[WorkflowStatus]:
    number = 1
    while status := DBOS.get_workflow_status(f"{run}.{number}"):
        yield status
        number += 1


def _collect_results(steps: Iterable[StepInfo]) -> dict[str, str]:
    return {step["function_name"]: str(step["output"]) for step in steps if not step["error"]}
