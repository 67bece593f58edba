"""The queue beside a bare DBOS queue: instant jobs through real worker processes.

The bare side is DBOS alone with the settings of our queue: a limit of all workers, priorities,
deduplication, a pinned version, a look each second. On SQLite it is slower by what our `journal`
gains with a write-ahead log, so look at Postgres for the overhead.

`SIDES` names what is compared; each side starts workers at a database, puts jobs into its queue and
waits until all have ended.
"""

import contextlib
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

import psutil

from benchmarks import bare_worker, machine
from benchmarks.results import Table, spread
from orchestrator.tasks.models import TaskOrder
from tests.postgres import make_database, running_server

WORKERS: Final = 2
LANES: Final = (4, 40)
"""Of a worker: few, so that the second between two looks decides, and as many as there are jobs."""
JOBS: Final = 80
POLL: Final = 1.0
ROUNDS: Final = 3
DATABASE_URL: Final = "ORCHESTRATOR_DATABASE_URL"
MOST_SECONDS: Final = 120.0
"""Until jobs that have not ended count as lost."""


class Running(Protocol):
    """Workers of one side that are ready."""

    processes: list[int]

    def finish_jobs(self, count: int) -> list[float]:
        """Do so many instant jobs; return for each the seconds from its enqueuing to its start."""


Side = Callable[[Path, str, int], AbstractContextManager[Running]]
"""Starts workers with so many lanes, at an empty folder for SQLite or an empty database's URL."""


@contextlib.contextmanager
def _start_workers(*arguments: str, url: str = "") -> Iterator[list[int]]:
    """Start processes of a module, and wait until they are ready; return their ids."""
    env = {**machine.environment(), "ORCHESTRATOR_DATABASE_URL": url}
    with ExitStack() as stack:
        processes = []
        for _ in range(WORKERS):
            child = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", *arguments],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=machine.ROOT,
                    env=env,
                )
            )
            stack.callback(child.kill)
            assert child.stdout
            if child.stdout.readline() != b"ready\n":
                raise RuntimeError(f"{' '.join(arguments)} did not start")
            processes.append(child.pid)
        yield processes


@dataclass
class _Bare:
    client: Any
    processes: list[int]
    count: int = 0

    def finish_jobs(self, count: int) -> list[float]:
        started = {}
        for number in range(self.count, self.count + count):
            options = {
                "workflow_name": bare_worker.WORKFLOW,
                "queue_name": bare_worker.QUEUE,
                "workflow_id": f"job-{number}.1",
                "app_version": bare_worker.VERSION,
                "deduplication_id": f"job-{number}",
                "priority": 5,
            }
            started[f"job-{number}.1"] = time.time()
            self.client.enqueue(options, [])
        self.count += count
        deadline = time.monotonic() + MOST_SECONDS
        while time.monotonic() < deadline:
            ended = self.client.list_workflows(
                status="SUCCESS", load_input=False, load_output=False
            )
            waits = [
                each.dequeued_at / 1000 - started[each.workflow_id]
                for each in ended
                if each.workflow_id in started
            ]
            if len(waits) == count:
                return waits
            time.sleep(0.1)
        raise RuntimeError(f"{count - len(waits)} of {count} jobs have not ended")


@contextlib.contextmanager
def run_bare(folder: Path, url: str, lanes: int) -> Iterator[Running]:
    """Run workers of a bare DBOS queue."""
    from dbos import DBOSClient

    url = url or f"sqlite:///{folder / 'bare.sqlite'}"
    with _start_workers("benchmarks.bare_worker", url, str(lanes), str(POLL)) as processes:
        client = DBOSClient(system_database_url=url, application_name=bare_worker.APPLICATION)
        try:
            yield _Bare(client, processes)
        finally:
            client.destroy()


@dataclass
class _Ours:
    state: Path
    database: Any
    processes: list[int]
    count: int = 0

    def finish_jobs(self, count: int) -> list[float]:
        from orchestrator.journal import queues
        from orchestrator.tasks.fleet.jobs import JobStore
        from orchestrator.tasks.fleet.models import Job

        jobs, enqueued = JobStore(self.database), dict[str, float]()
        for number in range(self.count, self.count + count):
            name = f"job-{number}"
            order = TaskOrder("list", name, name, "Do it.", "base", 5, 1.0)
            enqueued[name] = time.time()
            jobs.create_job(Job(order, self.state, "", "url", "{}"))
            queues.enqueue_job(self.state, name, order.priority)
        self.count += count
        waits: list[float] = []
        deadline = time.monotonic() + MOST_SECONDS
        while len(waits) < count and time.monotonic() < deadline:
            time.sleep(0.1)
            rows = self.database.fetch_rows("SELECT id, started FROM jobs WHERE status = 'ended'")
            waits = [
                datetime.fromisoformat(started).timestamp() - enqueued[name]
                for name, started in rows
                if name in enqueued
            ]
        if len(waits) < count:
            raise RuntimeError(f"{count - len(waits)} of {count} jobs have not ended")
        return waits


@contextlib.contextmanager
def run_ours(folder: Path, url: str, lanes: int) -> Iterator[Running]:
    """Run workers of our queue, whose jobs end at once."""
    from orchestrator.journal.durable import close_engine
    from orchestrator.storage.opening import open_database

    before = os.environ.get(DATABASE_URL, "")
    os.environ[DATABASE_URL] = url  # the queue reads it
    try:
        with (
            _start_workers("benchmarks.our_worker", str(folder), str(lanes), url=url) as processes,
            open_database(folder) as database,
        ):
            yield _Ours(folder, database, processes)
    finally:
        close_engine()
        os.environ[DATABASE_URL] = before


SIDES: Final[dict[str, Side]] = {"bare DBOS": run_bare, "ours": run_ours}
"""What is compared; the first one is 1."""


def measure() -> Table:
    """Let the sides take turns, on SQLite and on Postgres."""
    rows: list[tuple[str, ...]] = []
    samples: dict[str, list[float]] = {}
    with running_server("-c fsync=on") as server, TemporaryDirectory() as folder:
        for kind, lanes in itertools.product(("SQLite", "Postgres"), LANES):
            first: list[float] = []
            for number, (name, side) in enumerate(SIDES.items()):
                state = Path(folder) / f"{kind}-{lanes}-{number}"
                state.mkdir()
                url = make_database(server) if kind == "Postgres" else ""
                seconds, waits, memory = _measure_side(side, state, url, lanes)
                first = first or seconds
                label = f"{name}, {kind}, {lanes} lanes"
                samples[label] = seconds
                rows.append(
                    (
                        label,
                        spread(seconds, " s"),
                        f"{median(seconds) / median(first):.2f}x",
                        f"{JOBS / median(seconds):.1f} jobs/s",
                        f"{median(waits):.2f} s",
                        f"{memory / 1e6:.0f} MB",
                    )
                )
    return Table(
        f"{JOBS} instant jobs, {WORKERS} workers, a look each {POLL:g} s",
        ("queue", "all done after", "ratio", "rate", "wait for the start", "memory of a worker"),
        tuple(rows),
        samples,
    )


def _measure_side(
    side: Side, folder: Path, url: str, lanes: int
) -> tuple[list[float], list[float], float]:
    """Return the seconds of each round, how long jobs waited, and the memory of a worker."""
    seconds, waits = [], []
    with side(folder, url, lanes) as running:
        running.finish_jobs(WORKERS)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            waits += running.finish_jobs(JOBS)
            seconds.append(time.perf_counter() - started)
        memory = median(psutil.Process(each).memory_info().rss for each in running.processes)
    return seconds, waits, memory
