"""Return the jobs of dead workers to the queue. Every worker does it, now and then.

A worker is dead if nobody holds its lock, or if its row has not changed for minutes although its
lock is held: then its process is stopped, or hangs. The age of the row is measured by the clock of
this process, from when it first saw the row so, because clocks of machines differ.

The order is what makes it safe. First the job is fenced: its token is raised, in one transaction,
so that whatever the dead worker still does is dropped. Then it is returned, by comparing and
swapping the worker's id. After a kill between the two, or with two reapers at once, the other one
does what is left, and nothing twice. So there is no lock of reapers either: a stopped process that
held it would stop them all.
"""

import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Final

from orchestrator.journal import queues
from orchestrator.storage.database import Database
from orchestrator.storage.process_locks import find_free, read_server_age
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import JobStatus
from orchestrator.tasks.fleet.workers import WorkerStore

STALE_SECONDS: Final = 300.0
"""How long the row of a worker with a lock may stay unchanged: a hundred times its interval."""


RECONNECT_SECONDS: Final = 15.0
"""How long after a start of the server nobody counts as dead: three intervals of a worker."""


@dataclass(frozen=True)
class ReapedJob:
    """A job of a dead worker."""

    job: str
    worker: str
    is_ended: bool
    """Whether it was ended, and not returned."""


class Reaper:
    """Finds dead workers, and returns their jobs to the queue.

    Args:
        database: the record.
        worker: the id of this process, which it never takes for dead; empty if it is no worker.
        stale: seconds after which a worker whose row does not change counts as dead.
        reconnect: seconds after a start of the server within which nobody counts as dead.
        clock: returns seconds.
    """

    def __init__(
        self,
        database: Database,
        worker: str = "",
        stale: float = STALE_SECONDS,
        reconnect: float = RECONNECT_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database, self._worker = database, worker
        self._stale, self._reconnect, self._clock = stale, reconnect, clock
        self._jobs, self._workers = JobStore(database), WorkerStore(database)
        self._seen: dict[str, tuple[str, float]] = {}

    def reap_jobs(self) -> list[ReapedJob]:
        """Return the jobs of all workers that are dead now.

        Raises:
            InfrastructureError: the database cannot be used.
        """
        state = self._database.directory
        taken = queues.list_taken_jobs(state)
        running = self._jobs.list_running()
        owners = {each.worker for each in taken} | {worker for _, worker in running}
        dead = self._find_dead(owners - {self._worker, ""})
        reaped = [self._return_job(each) for each in taken if each.worker in dead]
        reaped += self._find_forgotten(running, dead, {each.job for each in taken})
        return reaped

    def _find_dead(self, workers: Collection[str]) -> set[str]:
        if read_server_age(self._database) < self._reconnect:
            return set()
        dead = find_free(self._database, workers)
        self._seen = {worker: self._seen[worker] for worker in workers if worker in self._seen}
        now = self._clock()
        rows = self._workers.read_last_seen() if set(workers) - dead else {}
        for worker in set(workers) - dead:
            row = rows.get(worker, "")
            before, since = self._seen.setdefault(worker, (row, now))
            if before != row:
                self._seen[worker] = (row, now)
            elif now - since > self._stale:
                dead.add(worker)
        return dead

    def _return_job(self, entry: queues.QueueEntry) -> ReapedJob:
        state = self._database.directory
        self._jobs.fence_job(entry.job, entry.worker)
        found = self._jobs.find_job(entry.job)
        is_ended = found is None or found.status is JobStatus.ENDED
        if is_ended:
            queues.drop_job(state, entry)
        else:
            queues.return_job(state, entry)
        return ReapedJob(entry.job, entry.worker, is_ended)

    def _find_forgotten(
        self, running: Collection[tuple[str, str]], dead: Collection[str], taken: Collection[str]
    ) -> list[ReapedJob]:
        """Put jobs of dead workers into the queue that the queue itself takes for ended.

        So it is if a worker could not save a result, and then could not even live on.
        """
        reaped = []
        state = self._database.directory
        for job, worker in running:
            if worker in dead and job not in taken and not queues.is_in_queue(state, job):
                self._jobs.fence_job(job, worker)
                found = self._jobs.load_job(job)
                is_ended = found.status is JobStatus.ENDED
                if not is_ended:
                    queues.enqueue_job(state, job, found.job.order.priority)
                reaped.append(ReapedJob(job, worker, is_ended))
        return reaped
