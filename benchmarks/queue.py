"""The queue beside a bare DBOS queue: instant jobs through real worker processes.

The bare side is DBOS alone with the settings of our queue: a limit of all workers, priorities,
deduplication, a pinned version, a look each second. `SIDES` names what is compared; each side
starts workers at a database, puts jobs into its queue and waits until all have ended.
"""

import contextlib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final, Protocol

import psutil

from benchmarks import bare_worker, machine
from benchmarks.results import Table, spread
from tests.postgres import make_database, running_server

WORKERS: Final = 2
LANES: Final = 4
JOBS: Final = 80
POLL: Final = 1.0
ROUNDS: Final = 3
MOST_SECONDS: Final = 120.0
"""Until jobs that have not ended count as lost."""


class Running(Protocol):
    """Workers of one side that are ready."""

    processes: list[int]

    def finish_jobs(self, count: int) -> list[float]:
        """Do so many instant jobs; return for each the seconds from its enqueuing to its start."""


Side = Callable[[str, int, int], AbstractContextManager[Running]]
"""Starts workers with lanes at the URL of an empty database."""


@dataclass
class _Bare:
    client: Any
    processes: list[int]
    count: int = 0

    def finish_jobs(self, count: int) -> list[float]:
        started = {}
        for number in range(self.count, self.count + count):
            options = {
                "workflow_name": "job",
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
def run_bare(url: str, workers: int, lanes: int) -> Iterator[Running]:
    """Run workers of a bare DBOS queue."""
    from dbos import DBOSClient

    with ExitStack() as stack:
        processes = []
        for _ in range(workers):
            argv = [sys.executable, "-m", "benchmarks.bare_worker", url, str(lanes), str(POLL)]
            child = stack.enter_context(
                subprocess.Popen(
                    argv,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    cwd=machine.ROOT,
                    env=machine.environment(),
                )
            )
            stack.callback(child.kill)
            assert child.stdout
            if child.stdout.readline() != b"ready\n":
                raise RuntimeError("a worker of the bare queue did not start")
            processes.append(child.pid)
        client = DBOSClient(system_database_url=url, application_name=bare_worker.APPLICATION)
        stack.callback(client.destroy)
        yield _Bare(client, processes)


SIDES: Final[dict[str, Side]] = {"bare DBOS": run_bare}
"""What is compared; the first one is 1."""


def measure() -> Table:
    """Let the sides take turns, on SQLite and on Postgres."""
    rows: list[tuple[str, ...]] = []
    samples: dict[str, list[float]] = {}
    with running_server("-c fsync=on") as server, TemporaryDirectory() as folder:
        for kind in ("SQLite", "Postgres"):
            urls = {
                name: make_database(server)
                if kind == "Postgres"
                else f"sqlite:///{Path(folder) / f'{number}.sqlite'}"
                for number, name in enumerate(SIDES)
            }
            first: list[float] = []
            for name, side in SIDES.items():
                seconds, waits, memory = _measure_side(side, urls[name])
                first = first or seconds
                samples[f"{name}, {kind}"] = seconds
                ratio = median(seconds) / median(first)
                rows.append(
                    (
                        f"{name}, {kind}",
                        spread(seconds, " s"),
                        f"{ratio:.2f}x",
                        f"{JOBS / median(seconds):.1f} jobs/s",
                        f"{median(waits):.2f} s",
                        f"{memory / 1e6:.0f} MB",
                    )
                )
    return Table(
        f"{JOBS} instant jobs, {WORKERS} workers with {LANES} lanes, a look each {POLL:g} s",
        ("queue", "all done after", "ratio", "rate", "wait for the start", "memory of a worker"),
        tuple(rows),
        samples,
    )


def _measure_side(side: Side, url: str) -> tuple[list[float], list[float], float]:
    """Return the seconds of each round, how long jobs waited, and the memory of a worker."""
    seconds, waits = [], []
    with side(url, WORKERS, LANES) as running:
        running.finish_jobs(WORKERS * LANES)
        for _ in range(ROUNDS):
            started = time.perf_counter()
            waits += running.finish_jobs(JOBS)
            seconds.append(time.perf_counter() - started)
        memory = median(psutil.Process(each).memory_info().rss for each in running.processes)
    return seconds, waits, memory
