"""What limits a fleet of 100 workers with 10,000 jobs: which table, which lock, which query.

    python -m benchmarks.fleet_limits            # figures, and the plans of the queries
    python -m benchmarks.fleet_limits --quick    # a tenth of everything, to see that it runs

A real Postgres (Debian's package, on a socket, data safe at a power failure), DBOS's own code for
its queue, and our own statements; the workers are threads, see `fleet_scene`. docs/fleet-limits
explains the figures.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click
import psycopg

from benchmarks import fleet_scene, machine
from benchmarks.fleet_scene import LANES, Fleet
from benchmarks.fleet_statements import explain_statements
from benchmarks.results import Table
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.tasks.models import ListFormat, ListOptions, TaskItem
from orchestrator.tasks.store import TaskStore
from tests.postgres import make_database, running_server

if TYPE_CHECKING:
    from dbos._sys_db import SystemDatabase

_OWN_CONNECTIONS: Final = 2
"""Of a worker: that of the record, and that of its lock."""
_WATCHED_SECONDS: Final = 10.0
SETTINGS: Final = (
    "-c max_connections=250 -c shared_preload_libraries=pg_stat_statements -c track_io_timing=off"
)
_IDLE: Final = """
import json, sys
from dbos import DBOS
DBOS(config={**json.loads(sys.argv[2]), "name": "fleet", "system_database_url": sys.argv[1],
             "application_version": "1", "executor_id": "idle", "log_level": "CRITICAL",
             "notification_listener_polling_interval_sec": 1.0,
             "scheduler_polling_interval_sec": 1.0})
DBOS.listen_queues(["jobs"])
DBOS.launch()
print("ready", flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Size:
    """How large the fleet is."""

    workers: int = 100
    jobs: int = 10_000
    ended: int = 100_000
    seconds: float = 20.0
    """Of each scene."""

    @property
    def running(self) -> int:
        """How many jobs run when all lanes are busy."""
        return self.workers * LANES


def measure(size: Size = Size(), show: Callable[[str], None] = lambda _: None) -> Table:
    """Measure the queue, the statements, the connections, and a long list."""
    rows: list[tuple[str, ...]] = []
    with running_server(SETTINGS) as server:
        url = make_database(server)
        with TemporaryDirectory(prefix="benchmark-") as folder:
            with (
                open_database(Path(folder), url) as database,
                psycopg.connect(url, autocommit=True) as connection,
            ):
                connection.execute("CREATE EXTENSION pg_stat_statements")
                with fleet_scene.engine(url, size.workers + 10) as system:
                    fleet_scene.fill_record(connection, size.jobs, size.workers, size.running)
                    rows += _measure_scenes(system, connection, size, show)
                    rows += _measure_statements(system, database, connection, size, show)
                rows += _measure_connections(url, connection)
            rows += _measure_list(Path(folder), "", size.jobs)
    return Table(
        f"{size.workers} workers with {LANES} lanes, {size.jobs:,} jobs",
        ("what", "figure", "note"),
        tuple(rows),
    )


# ---- the queue


def _measure_scenes(
    system: "SystemDatabase",
    connection: psycopg.Connection[Any],
    size: Size,
    show: Callable[[str], None],
) -> list[tuple[str, ...]]:
    """Let fleets take jobs: with and without a limit of all, short jobs and long ones."""
    lanes, some, few = size.running, size.workers // 3 or 1, size.workers // 10 or 1
    scenes = (
        # name, workers, limit of all workers together, seconds of a job, seconds between looks
        ("long jobs, limit of all", size.workers, lanes, 3600.0, 1.0),
        ("long jobs, limit of all, a look each 5 s", size.workers, lanes, 3600.0, 5.0),
        ("long jobs, no limit of all", size.workers, None, 3600.0, 1.0),
        ("jobs of no length, limit of all", size.workers, lanes, 0.0, 1.0),
        ("the same, a look each 5 s", size.workers, lanes, 0.0, 5.0),
        ("the same, a third of the workers", some, lanes, 0.0, 1.0),
        ("the same, a tenth of the workers", few, lanes, 0.0, 1.0),
        ("jobs of no length, no limit of all", size.workers, None, 0.0, 1.0),
        ("limit of all is a tenth of the lanes", size.workers, lanes // 10 or 1, 3600.0, 1.0),
    )
    rows: list[tuple[str, ...]] = []
    for name, workers, limit, seconds, poll in scenes:
        fleet_scene.register_queue(limit)
        fleet_scene.fill_queue(connection, size.jobs)
        connection.execute("SELECT pg_stat_statements_reset()")
        fleet = Fleet(system, workers, LANES, seconds, poll)
        fleet.work(size.seconds)
        rows.append((name, _describe_starts(fleet), _describe_conflicts(fleet)))
        show(" | ".join(rows[-1]))
        for line in _find_top_statements(connection, fleet.duration):
            show(f"    {line}")
    return rows


def _describe_starts(fleet: Fleet) -> str:
    starts = fleet.counts["starts"]
    if fleet.seconds:
        full = f"; all busy after {fleet.full_after:.1f} s" if fleet.full_after else ""
        return f"{starts} of {fleet.workers * fleet.lanes} lanes busy{full}"
    return f"{starts / fleet.duration:.0f} starts/s"


def _describe_conflicts(fleet: Fleet) -> str:
    counts, polls = fleet.counts, max(1, fleet.counts["polls"])
    shares = ", ".join(
        f"{100 * counts[each] / polls:.0f}% {each}"
        for each in ("taken", "empty", "locked", "serialization")
    )
    return (
        f"of {polls} looks {shares}; {1000 * median(fleet.polls or [0.0]):.0f} ms each; "
        f"slowest interval {fleet.slowest:.0f} s"
    )


def _find_top_statements(connection: psycopg.Connection[Any], seconds: float) -> list[str]:
    """Return the statements that cost the server most, with their share of one processor."""
    rows = connection.execute(
        "SELECT total_exec_time, calls, query FROM pg_stat_statements WHERE calls > 0"
        " AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
        " ORDER BY total_exec_time DESC LIMIT 4"
    ).fetchall()
    return [
        f"{total / seconds / 10:.1f}% of a processor, {calls / seconds:.0f}/s, "
        f"{total / calls:.2f} ms: {' '.join(query.split())[:110]}"
        for total, calls, query in rows
    ]


# ---- single statements


def _measure_statements(
    system: "SystemDatabase",
    database: Database,
    connection: psycopg.Connection[Any],
    size: Size,
    show: Callable[[str], None],
) -> list[tuple[str, ...]]:
    """Explain each statement on full tables, with a history of ended jobs."""
    fleet_scene.register_queue(size.running)
    fleet_scene.fill_queue(connection, size.jobs, size.ended)
    Fleet(system, size.workers, LANES, 3600.0).work(size.seconds)
    found = explain_statements(system, database, connection, size.workers)
    for each in found:
        show(f"{each.name}: {each.plan}")
    return [
        (
            each.name,
            f"{each.milliseconds:.2f} ms, {each.per_second:.0f}/s",
            f"{each.cost / 10:.1f}% of a processor",
        )
        for each in found
    ]


# ---- connections, and a long list


_SETTINGS: Final = {
    "as DBOS has it": {},
    "sys_db_pool_size 2": {"sys_db_pool_size": 2},
    "sys_db_pool_size 2, no LISTEN": {"sys_db_pool_size": 2, "use_listen_notify": False},
}
"""Settings of DBOS that decide how many connections a process holds."""


def _measure_connections(url: str, connection: psycopg.Connection[Any]) -> list[tuple[str, ...]]:
    """Count what a real process that serves the queue, and finds no job in it, holds and sends."""
    fleet_scene.fill_queue(connection, 0)
    rows: list[tuple[str, ...]] = []
    for name, settings in _SETTINGS.items():
        held, calls = _watch_idle_worker(url, connection, json.dumps(settings))
        rows.append(
            (
                f"connections of an idle worker, {name}",
                f"{held} of DBOS + {_OWN_CONNECTIONS} of ours",
                f"100 are enough for {97 // (held + _OWN_CONNECTIONS)} workers; DBOS sends "
                f"{calls:.1f} statements/s",
            )
        )
    return rows


def _watch_idle_worker(
    url: str, connection: psycopg.Connection[Any], settings: str
) -> tuple[int, float]:
    """Return the most connections of an idle worker, and its statements in a second."""
    count = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND backend_start > %s"
    )
    ((now,),) = connection.execute("SELECT clock_timestamp()").fetchall()
    argv = [sys.executable, "-c", _IDLE, url, settings]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=machine.environment()
    ) as child:
        assert child.stdout
        child.stdout.readline()
        time.sleep(3)
        connection.execute("SELECT pg_stat_statements_reset()")
        started, held = time.monotonic(), 0
        while time.monotonic() - started < _WATCHED_SECONDS:
            ((found,),) = connection.execute(count, (now,)).fetchall()
            held = max(held, found)
            time.sleep(0.5)
        ((calls,),) = connection.execute(
            "SELECT sum(calls) FROM pg_stat_statements WHERE query ILIKE '%dbos.%'"
        ).fetchall()
        child.kill()  # its connections are closed by the system
    return held, float(calls or 0) / _WATCHED_SECONDS


def _measure_list(folder: Path, url: str, tasks: int) -> list[tuple[str, ...]]:
    """Time one look of a list's process at all of its tasks."""
    rows: list[tuple[str, ...]] = []
    with open_database(folder, url) as database:
        store = TaskStore(database)
        for count in (tasks // 10, tasks):
            items = [
                TaskItem(f"T{number}", f"task {number}", "text " * 40, number, files=("a.py",))
                for number in range(count)
            ]
            name = f"list-{count}"
            options, form = ListOptions(), ListFormat.MARKDOWN
            store.create_list(name, folder, "plan.md", form, options, "{}", "base", items)
            times = []
            for _ in range(5):
                started = time.perf_counter()
                store.load_tasks(name)
                times.append(time.perf_counter() - started)
            rows.append(
                (f"a look at a list of {count:,} tasks", f"{1000 * median(times):.0f} ms", "SQLite")
            )
    return rows


@click.command()
@click.option("--quick", is_flag=True, help="A tenth of everything.")
def main(quick: bool) -> None:
    """Measure, and print the figures with the plans."""
    size = Size(10, 1000, 10_000, 4.0) if quick else Size()
    table = measure(size, click.echo)
    click.echo(replace(table, machine=machine.facts(0.0)).markdown)


if __name__ == "__main__":
    main()
