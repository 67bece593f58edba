"""The queue of jobs: with `durable`, the only module that knows DBOS.

A job is put into the queue as a DBOS workflow whose only input is the job's id: everything else is
in our own row of the job. The first is `JOB.1`; another number follows only if that one has ended
and the job has not.

What DBOS 3.4 does, and what is done about it:

- Every launched process of an application serves all of its queues. Here only `serve_queue` does.
- It does not notice that a worker has died, and the row of a dead worker's job counts against the
  limit of the queue. `list_taken_jobs` and `return_job` are for the reaper.
- A job without a priority runs before all others, one without a version goes to the latest
  version only, and one that is resumed leaves its queue. All three are always given.
- `worker_concurrency` is one number for all workers of a queue. Here each worker has its own.
"""

import contextlib
import contextvars
import threading
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dbos import DBOS, EnqueueOptions, WorkflowStatus
from dbos._dbos import _get_dbos_instance
from dbos._queue import Queue

from orchestrator.journal.durable import close_engine, use_engine
from orchestrator.journal.service import JOB_WORKFLOW, Service
from orchestrator.storage.runs import RUN_FORMAT

QUEUE: Final = "jobs"
_HOUR: Final = 3600.0
_POLL_SECONDS: Final = 1.0

MOST_URGENT: Final = 1
LEAST_URGENT: Final = 9

_TAKEN: Final = "PENDING"
_WAITING: Final = ("ENQUEUED", "DELAYED")
_UNFINISHED: Final = (_TAKEN, *_WAITING)


@dataclass(frozen=True)
class QueueLimits:
    """The limits of all workers together."""

    fleet_lanes: int
    """Jobs at a time."""
    starts_per_hour: int | None = None


@dataclass(frozen=True)
class QueueEntry:
    """A job as the queue has it."""

    workflow: str
    """`JOB.1`."""
    job: str
    worker: str
    """The worker that has taken it; empty while it waits."""
    priority: int
    version: str
    """The only version whose workers take it."""


def register_queue(state: Path, limits: QueueLimits, *, replace: bool) -> None:
    """Create the queue.

    Args:
        state: the state directory.
        limits: the limits of all workers together.
        replace: whether these limits replace those of a queue that exists.

    Raises:
        UsageError, InfrastructureError: DBOS cannot use the database.
    """
    with use_engine(state):
        _register_queue(limits, replace=replace)


def _register_queue(limits: QueueLimits, *, replace: bool) -> None:
    starts = limits.starts_per_hour
    DBOS.register_queue(
        QUEUE,
        # A worker replaces it by its own number, see `JobService`.
        worker_concurrency=1,
        global_concurrency=limits.fleet_lanes,
        limiter={"limit": starts, "period": _HOUR} if starts else None,
        polling_interval_sec=_POLL_SECONDS,
        on_conflict="always_update" if replace else "never_update",
    )


def enqueue_job(state: Path, job: str, priority: int) -> bool:
    """Put a job into the queue, unless it is there.

    Args:
        state: the state directory.
        job: the job's id; the job has not ended.
        priority: from 1, the most urgent, to 9.

    Returns:
        Whether it was not there.

    Raises:
        UsageError, InfrastructureError: DBOS cannot use the database.
    """
    with use_engine(state):
        found = list(_iter_workflows(job))
        if found and found[-1].status in _UNFINISHED:
            return False
        options: EnqueueOptions = {
            "workflow_name": JOB_WORKFLOW,
            "queue_name": QUEUE,
            "workflow_id": f"{job}.{len(found) + 1}",
            "app_version": RUN_FORMAT,
            "deduplication_id": job,
            "duplication_policy": "return-existing",
            "priority": min(max(priority, MOST_URGENT), LEAST_URGENT),
        }
        DBOS.enqueue_workflow_with_options(options, job)
        return True


def withdraw_job(state: Path, job: str) -> None:
    """Take a job out of the queue if no worker has taken it; a worker looks at our own row."""
    with use_engine(state):
        for workflow in list(_iter_workflows(job)):
            if workflow.status in _WAITING:
                DBOS.cancel_workflow(workflow.workflow_id)


def drop_job(state: Path, entry: QueueEntry) -> None:
    """Take the job of a dead worker out of the queue for good."""
    with use_engine(state):
        DBOS.cancel_workflow(entry.workflow)


def forget_jobs(state: Path, jobs: Collection[str]) -> None:
    """Delete what the queue has about jobs that have ended."""
    with use_engine(state):
        found = [each.workflow_id for job in jobs for each in _iter_workflows(job)]
        if found:
            DBOS.delete_workflows(found)


def is_in_queue(state: Path, job: str) -> bool:
    """Return whether a job waits in the queue, or a worker has taken it."""
    with use_engine(state):
        return any(each.status in _UNFINISHED for each in _iter_workflows(job))


def list_taken_jobs(state: Path) -> list[QueueEntry]:
    """Return the jobs that a worker has taken and not ended, whether it lives or not."""
    return _list_entries(state, [_TAKEN])


def list_waiting_jobs(state: Path) -> list[QueueEntry]:
    """Return the jobs that no worker has taken, in the order in which they will be."""
    entries = _list_entries(state, list(_WAITING))
    return sorted(entries, key=lambda each: each.priority)  # stable: the oldest first


def _list_entries(state: Path, status: list[str]) -> list[QueueEntry]:
    with use_engine(state):
        found = DBOS.list_workflows(
            status=status, queue_name=QUEUE, load_input=False, load_output=False
        )
    return [
        QueueEntry(
            each.workflow_id,
            each.workflow_id.rpartition(".")[0],
            str(each.executor_id or "") if each.status == _TAKEN else "",
            each.priority or 0,
            each.app_version or "",
        )
        for each in found
    ]


def return_job(state: Path, entry: QueueEntry) -> bool:
    """Return the job of a dead worker to its queue; it keeps its priority.

    Compared and swapped by the worker's id: if another worker has taken it by now, nothing
    changes. The public `resume_workflow` would take it from that one.

    Returns:
        Whether it was returned.
    """
    with use_engine(state):
        return bool(
            _get_dbos_instance()._sys_db.reenqueue_for_recovery(
                entry.workflow, [entry.worker], QUEUE
            )
        )


def _iter_workflows(job: str) -> Iterator[WorkflowStatus]:
    number = 1
    while status := DBOS.get_workflow_status(f"{job}.{number}"):
        yield status
        number += 1


# ---- in a worker ---------------------------------------------------------------------------


class JobService:
    """Takes jobs from the queue, while `serve_queue` runs.

    Args:
        lanes: how many jobs this process executes at a time.
        body: executes a job; raises nothing. When it returns, the queue forgets the job, unless
            `return_job` was called for it.
    """

    def __init__(self, lanes: int, body: Callable[[QueueEntry], None]) -> None:
        self.lanes = lanes
        """How many jobs this process executes at a time; with 0, no other is taken."""
        self._body = body
        self._lock = threading.Lock()
        self._running = 0

    @property
    def running(self) -> int:
        """How many jobs run."""
        return self._running

    def execute_job(self, entry: QueueEntry) -> None:
        """Execute a job. What the body does with DBOS is not part of the workflow."""
        self._count(1)
        try:
            contextvars.Context().run(self._body, entry)
        finally:
            self._count(-1)

    def _count(self, change: int) -> None:
        with self._lock:
            self._running += change

    def limit_lanes(self) -> None:
        """Let DBOS take as many jobs as this process has lanes.

        DBOS reads the queue from the database before each look into it.
        """
        system = _get_dbos_instance()._sys_db
        read_queue = system.get_queue

        def read_limited_queue(name: str, **arguments: object) -> Queue | None:
            queue: Queue | None = read_queue(name, **arguments)  # type: ignore[arg-type]
            if queue is not None and name == QUEUE:
                queue._worker_concurrency = self.lanes
            return queue

        system.get_queue = read_limited_queue  # type: ignore[method-assign]


_service: JobService | None = None
_worker: str | None = None


@DBOS.workflow(name=JOB_WORKFLOW)
def _execute_job(job: str) -> None:
    if _service is None or _worker is None:
        raise RuntimeError("this process takes no jobs")
    workflow = str(DBOS.workflow_id)
    _service.execute_job(QueueEntry(workflow, job, _worker, 0, RUN_FORMAT))


@contextlib.contextmanager
def serve_queue(
    state: Path, worker: str, service: JobService, limits: QueueLimits
) -> Iterator[None]:
    """Take jobs from the queue while the block runs. At its end, jobs that run are not waited for.

    Args:
        state: the state directory.
        worker: the id of this process, whose lock it holds.
        service: executes the jobs.
        limits: those of the queue if there is none yet.

    Raises:
        UsageError: this process is executing a run.
        InfrastructureError: DBOS cannot use the database.
    """
    global _service, _worker  # noqa: PLW0603 -- DBOS finds a workflow by its name, not by an object
    if _service is not None:
        raise RuntimeError("this process takes jobs already")
    served = False
    _service, _worker = service, worker
    try:
        with use_engine(state, Service(QUEUE, worker)):
            served = True
            service.limit_lanes()
            _register_queue(limits, replace=False)
            yield
    finally:
        _service = _worker = None
        if served:  # if not, it is that of a run
            close_engine()  # or it goes on to take jobs
