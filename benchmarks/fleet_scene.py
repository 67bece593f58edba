"""A fleet in one process: the rows of many jobs, and workers that are threads.

Each thread is a worker as DBOS has it: it reads the queue's row, waits with jitter, takes jobs by
DBOS's own `start_queued_workflows`, and waits longer after a conflict, as `queue_worker_thread` of
DBOS 3.4 does. What is simulated: no agent works, a job only lasts; all threads share one process,
one Python and one pool of connections.
"""

import contextlib
import random
import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import psycopg

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dbos._queue import Queue
    from dbos._sys_db import SystemDatabase

QUEUE: Final = "jobs"
VERSION: Final = "1"
LANES: Final = 2
"""Jobs of a worker at a time."""
POLL_SECONDS: Final = 1.0
MOST_POLL_SECONDS: Final = 120.0
CONFIG_BYTES: Final = 3000
"""Of the configuration in the row of a job, and of its prompt."""


@contextlib.contextmanager
def engine(url: str, connections: int) -> "Iterator[SystemDatabase]":
    """DBOS's system database at a URL, of a process that takes no jobs itself."""
    from dbos import DBOS
    from dbos._dbos import _get_dbos_instance

    DBOS(
        config={
            "name": "fleet",
            "system_database_url": url,
            "application_version": VERSION,
            "executor_id": "nobody",
            "log_level": "CRITICAL",
            "sys_db_pool_size": connections,
        }
    )
    DBOS.listen_queues([])
    DBOS.launch()
    try:
        yield _get_dbos_instance()._sys_db
    finally:
        DBOS.destroy()


def register_queue(limit: int | None) -> None:
    """Register the queue, with or without a limit of all workers together."""
    from dbos import DBOS

    DBOS.register_queue(
        QUEUE,
        worker_concurrency=1,
        global_concurrency=limit,
        polling_interval_sec=POLL_SECONDS,
        on_conflict="always_update",
    )


def fill_queue(connection: psycopg.Connection[Any], waiting: int, ended: int = 0) -> None:
    """Replace DBOS's jobs by such as `enqueue` writes them, and a history of ended ones."""
    connection.execute("TRUNCATE dbos.workflow_status, dbos.workflow_input CASCADE")
    for state, count in (("ENQUEUED", waiting), ("SUCCESS", ended)):
        connection.execute(
            "INSERT INTO dbos.workflow_status (workflow_uuid, status, name, created_at,"
            " updated_at, application_version, application_id, recovery_attempts, queue_name,"
            " deduplication_id, priority, serialization, application_name, started_at_epoch_ms,"
            " completed_at, executor_id)"
            " SELECT %s || n || '.1', %s, 'job', 1790000000000 + n, 1790000000000 + n, %s, '', 0,"
            " %s, CASE WHEN %s = 'ENQUEUED' THEN 'job-' || n END, 1 + n %% 9, 'py_pickle', 'fleet',"
            " CASE WHEN %s <> 'ENQUEUED' THEN 1790000000000 + n END,"
            " CASE WHEN %s <> 'ENQUEUED' THEN 1790000000000 + n END, 'w' FROM"
            " generate_series(1, %s) AS n",
            (f"{state.lower()}-", state, VERSION, QUEUE, state, state, state, count),
        )
    connection.execute("VACUUM ANALYZE dbos.workflow_status")


def fill_record(connection: psycopg.Connection[Any], jobs: int, workers: int, running: int) -> None:
    """Fill our own tables: workers, and jobs of which some run."""
    connection.execute("TRUNCATE jobs, workers")
    connection.execute(
        "INSERT INTO workers (id, host, process, process_started, version, lanes, state, started,"
        " last_seen) SELECT 'worker-' || n, 'host', n, 0, '1', 2, 'serving', '2026', '2026'"
        " FROM generate_series(1, %s) AS n",
        (workers,),
    )
    connection.execute(
        "INSERT INTO jobs (id, list, task, project, repository, base, content, config, status,"
        " token, worker, created) SELECT 'enqueued-' || n, 'list', 'T' || n, '/project', 'url',"
        " 'base', repeat(md5(n::text), %s), repeat(md5(n::text), %s),"
        " CASE WHEN n <= %s THEN 'running' ELSE 'queued' END, 1, 'worker-' || (1 + n %% %s),"
        " '2026' FROM generate_series(1, %s) AS n",
        (CONFIG_BYTES // 32, CONFIG_BYTES // 32, running, workers, jobs),
    )
    for number in range(workers):  # held until this connection ends, as a worker's own would be
        connection.execute(
            "SELECT pg_advisory_lock(hashtextextended('plt:worker-' || %s, 7))", (number + 1,)
        )
    connection.execute("VACUUM ANALYZE jobs")
    connection.execute("VACUUM ANALYZE workers")


@dataclass
class Fleet:
    """Workers that take jobs for a while.

    Args:
        system: DBOS's system database.
        workers: how many.
        lanes: jobs of one worker at a time.
        seconds: how long a job lasts.
        poll: seconds between two looks of a worker, as long as there is no conflict.
    """

    system: "SystemDatabase"
    workers: int
    lanes: int
    seconds: float
    poll: float = POLL_SECONDS
    counts: Counter[str] = field(default_factory=Counter)
    """Of polls, starts, and both kinds of conflicts."""
    polls: list[float] = field(default_factory=list)
    """Seconds that each attempt to take jobs took."""
    full_after: float | None = None
    """Seconds until all lanes were busy for the first time."""
    slowest: float = 0.0
    """The longest interval that a worker has come to."""

    def work(self, duration: float) -> None:
        """Let them work for so many seconds."""
        self._stop, self._lock = threading.Event(), threading.Lock()
        self._running, self._started = 0, time.monotonic()
        threads = [
            threading.Thread(target=self._serve, args=(f"worker-{number}",), daemon=True)
            for number in range(self.workers)
        ]
        for each in threads:
            each.start()
        self._stop.wait(duration)
        self._stop.set()
        for each in threads:
            each.join()
        self.duration = time.monotonic() - self._started

    def _serve(self, worker: str) -> None:
        interval, jobs = self.poll, dict[str, tuple[str, float]]()
        self._stop.wait(random.uniform(0, self.poll))  # noqa: S311 -- no secret
        while not self._stop.is_set():
            queue = self.system.get_queue(QUEUE)
            assert queue
            queue._worker_concurrency = self.lanes
            if self._stop.wait(interval * random.uniform(0.95, 1.05)):  # noqa: S311 -- no secret
                return
            self._end_jobs(jobs)
            is_contended = len(jobs) < self.lanes and self._take_jobs(worker, queue, jobs)
            if is_contended:
                interval = min(MOST_POLL_SECONDS, interval * 2)
            self.slowest = max(self.slowest, interval)
            interval = max(self.poll, interval * 0.9)

    def _take_jobs(self, worker: str, queue: "Queue", jobs: dict[str, tuple[str, float]]) -> bool:
        """Take jobs; return whether there was a conflict after which DBOS waits longer."""
        from sqlalchemy.exc import DBAPIError

        owner, started = str(uuid.uuid4()), time.monotonic()
        outcome, is_contended = "empty", False
        found: list[str] = []
        try:
            found, _ = self.system.start_queued_workflows(
                queue, worker, VERSION, None, len(jobs), owner_xid=owner
            )
        except DBAPIError as error:
            is_contended = self.system.is_serialization_conflict(error)
            if not is_contended and not self.system.is_lock_conflict(error):
                raise
            outcome = "serialization" if is_contended else "locked"
        now = time.monotonic()
        if found:
            outcome = "taken"
            self.system.get_workflow_statuses(found)
            jobs.update((each, (owner, now + self.seconds)) for each in found)
        with self._lock:
            self.counts.update(polls=1, starts=len(found), **{outcome: 1})
            self.polls.append(now - started)
            self._running += len(found)
            if self._running >= self.workers * self.lanes and self.full_after is None:
                self.full_after = now - self._started
        return is_contended

    def _end_jobs(self, jobs: dict[str, tuple[str, float]]) -> None:
        now = time.monotonic()
        for each, (owner, end) in list(jobs.items()):
            if now >= end:
                self.system.update_workflow_outcome(each, "SUCCESS", output="1", owner_xid=owner)
                del jobs[each]
                with self._lock:
                    self._running -= 1
