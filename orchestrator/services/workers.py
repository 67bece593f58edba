"""A worker: takes jobs from the queue until it is stopped, and looks after dead workers.

Its life: take a folder -> take the lock of its id -> register -> serve -> drain -> end. DBOS calls
`_execute` in a thread for each job; everything else is in the caller's thread.
"""

import contextlib
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.journal import queues
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.platform.stop_flag import StopFlag
from orchestrator.services.worker_jobs import JobExecutor
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.storage.process_locks import ProcessLock, hold_lock
from orchestrator.storage.runs import RUN_FORMAT
from orchestrator.storage.state_directory import build_state_error, workers_folder
from orchestrator.tasks.fleet.models import WorkerState
from orchestrator.tasks.fleet.reaper import RECONNECT_SECONDS, STALE_SECONDS, Reaper
from orchestrator.tasks.fleet.workers import WorkerStore, create_worker_id

_MOST_SLOTS: Final = 1000
_RETAINED_DAYS: Final = 30
_TICK: Final = 0.2
_ONCE_SECONDS: Final = 1.0
_END_SECONDS: Final = 30.0
"""What jobs may take to end their agents when the database is away for good."""


@dataclass(frozen=True)
class WorkerTimes:
    """The times of a worker, in seconds."""

    poll: float = 3.0
    """Between two looks at the row of a job that runs."""
    seen: float = 5.0
    """Between two signs of life in its own row, with a check of its lock."""
    reap: float = 12.0
    """Between two looks for dead workers; up to a quarter more or less."""
    grace: float = 60.0
    """What jobs may take when it drains, before they are handed back."""
    stale: float = STALE_SECONDS
    reconnect: float = RECONNECT_SECONDS
    away: float = 600.0
    """How long the database may be away; then the worker ends, to be started again."""


@dataclass
class StopRequest:
    """How the caller stops a worker."""

    drains: StopFlag = field(default_factory=StopFlag)
    """No new jobs; those that run have the grace."""
    at_once: StopFlag = field(default_factory=StopFlag)
    """No grace either."""

    def request(self) -> None:
        """Ask for the end: the first time to drain, the second time at once."""
        (self.at_once if self.drains.is_set() else self.drains).set()


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works."""

    lanes: int
    limits: queues.QueueLimits
    once: bool = False
    """Whether it ends after its first job, or if none waits."""
    times: WorkerTimes = WorkerTimes()


def run_worker(
    state: Path,
    options: WorkerOptions,
    stop: StopRequest,
    report: Callable[[str], None],
    environment: Mapping[str, str],
) -> None:
    """Take jobs from the queue until it is stopped.

    Args:
        state: the state directory.
        options: how it works.
        stop: how the caller stops it.
        report: called with each line for people, in any thread.
        environment: the environment of its agents, with its keys.

    Raises:
        LoopError: the database or the state directory cannot be used.
    """
    with open_database(state) as database, _take_folder(state) as folder:
        worker = create_worker_id()
        lock = hold_lock(database, worker)
        try:
            executor = JobExecutor(
                *(worker, state, folder, options.times.poll, options.times.away),
                *(report, environment),
            )
            _Worker(database, worker, lock, executor, options, stop, report).serve()
        finally:
            lock.release()


@contextlib.contextmanager
def _take_folder(state: Path) -> Iterator[Path]:
    """Take a folder that no other process uses, best one that an earlier worker has left."""
    try:
        make_private_folder(workers_folder(state))
        for number in range(1, _MOST_SLOTS):
            lock = FileLock(workers_folder(state) / f"{number}.lock", 0)
            try:
                lock.acquire()
            except LockHeldError:
                continue
            try:
                folder = workers_folder(state) / str(number)
                make_private_folder(folder)
                yield folder
            finally:
                lock.release()
            return
    except OSError as error:
        raise build_state_error(state, error) from error
    raise InfrastructureError(f"{_MOST_SLOTS} workers use {state}", "end some")


class _Worker:
    def __init__(
        self,
        database: Database,
        worker: str,
        lock: ProcessLock,
        executor: JobExecutor,
        options: WorkerOptions,
        stop: StopRequest,
        report: Callable[[str], None],
    ) -> None:
        self._database, self._id, self._lock = database, worker, lock
        self._executor, self._options, self._stop = executor, options, stop
        self._report = report
        self._workers = WorkerStore(database)
        self._reaper = Reaper(database, worker, options.times.stale, options.times.reconnect)
        self._service = queues.JobService(options.lanes, self._execute)
        self._state = WorkerState.SERVING
        self._due: dict[str, float] = {}
        self._is_done = False
        self._reached = time.monotonic()

    def serve(self) -> None:
        self._workers.register_worker(self._id, RUN_FORMAT, self._options.lanes)
        self._reached = time.monotonic()
        try:
            self._workers.forget_workers(datetime.now(UTC) - timedelta(days=_RETAINED_DAYS))
            state = self._database.directory
            with queues.serve_queue(state, self._id, self._service, self._options.limits):
                self._report(f"worker {self._id} takes jobs: {self._options.lanes} at a time")
                self._serve_until_stopped()
                self._drain()
        finally:
            if not self._is_away():
                self._workers.see_worker(self._id, WorkerState.ENDED)
            self._report(f"worker {self._id} has ended")

    def _serve_until_stopped(self) -> None:
        while not (self._is_done or self._stop.drains.is_set()):
            self._tick()
            if self._options.once and self._is_due("once", _ONCE_SECONDS):
                self._is_done |= self._is_idle()
            self._stop.drains.wait(_TICK)

    def _is_idle(self) -> bool:
        """Return whether no job waits for this worker, and none is being given to it."""
        state = self._database.directory
        waits = any(each.version == RUN_FORMAT for each in queues.list_waiting_jobs(state))
        taken = any(each.worker == self._id for each in queues.list_taken_jobs(state))
        return not (waits or taken or self._service.running)

    def _drain(self) -> None:
        self._service.lanes = 0
        self._state = WorkerState.DRAINING
        self._due.clear()
        deadline = time.monotonic() + self._options.times.grace
        if self._service.running:
            self._report(f"it drains: {self._options.times.grace:g} s for jobs that run")
        while self._service.running:
            self._tick()
            if self._stop.at_once.is_set() or time.monotonic() >= deadline:
                self._executor.hand_back_jobs()
            time.sleep(_TICK)

    def _tick(self) -> None:
        times = self._options.times
        try:
            if self._is_due("seen", times.seen):
                if not self._lock.is_held():
                    self._report("its lock is held by another process")
                self._workers.see_worker(self._id, self._state)
                self._reached = time.monotonic()
            if self._is_due("reap", times.reap * random.uniform(0.75, 1.25)):  # noqa: S311 -- no secret
                for each in self._reaper.reap_jobs():
                    what = "ended" if each.is_ended else "back in the queue"
                    self._report(f"job {each.job}: worker {each.worker} is dead; {what}")
        except InfrastructureError as error:
            if self._is_away():
                self._end_jobs()
                raise
            self._report(f"the database is away, and is tried again: {error}")

    def _is_away(self) -> bool:
        """Return whether the database has been away for too long."""
        return time.monotonic() - self._reached > self._options.times.away

    def _end_jobs(self) -> None:
        """End the agents of all jobs: others get the jobs when the database is back."""
        self._executor.hand_back_jobs()
        deadline = time.monotonic() + _END_SECONDS
        while self._service.running and time.monotonic() < deadline:
            time.sleep(_TICK)

    def _is_due(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    def _execute(self, entry: queues.QueueEntry) -> None:
        if self._options.once:
            self._service.lanes = 0
        try:
            is_over = self._executor.execute_job(entry.job)
        except InfrastructureError as error:
            # The row says that it runs: when this worker has ended, the reaper of another finds it.
            self._report(f"job {entry.job}: its result could not be saved: {error}")
            is_over = False
        if not is_over and not self._is_away():
            queues.return_job(self._database.directory, entry)
        self._is_done = self._options.once
