"""`orchestrator worker`: do the runs of task lists; `orchestrator workers`: who does them."""

import json
import os
import signal
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click

from orchestrator.cli.options import as_json
from orchestrator.cli.output import find_width, print_lines
from orchestrator.cli.signals import handle_signals
from orchestrator.cli.task_options import MOST_LANES
from orchestrator.cli.values import sanitize_text

if TYPE_CHECKING:
    from orchestrator.tasks.fleet.models import WorkerRecord

_STOPS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
_database_url: Final = click.option(
    "--database-url",
    metavar="URL",
    help="Postgres that lists and workers share [default: ORCHESTRATOR_DATABASE_URL, else SQLite].",
)


def _use_database(url: str | None) -> None:
    from orchestrator.storage.state_directory import URL_VARIABLE, read_database_url

    if url is not None:
        os.environ[URL_VARIABLE] = url  # also for the processes of runs
    read_database_url()


@click.command()
@_database_url
@click.option(
    "--lanes",
    type=click.IntRange(1, MOST_LANES),
    metavar="N",
    help=f"Runs at a time, 1 to {MOST_LANES} [default: queue.lanes].",
)
@click.option("--once", is_flag=True, help="Do one run, or end if none waits.")
@click.option(
    "--grace",
    type=click.FloatRange(0, 24 * 3600),
    default=60.0,
    show_default=True,
    metavar="SECONDS",
    help="How long runs may go on after the first signal.",
)
def worker(database_url: str | None, lanes: int | None, once: bool, grace: float) -> None:
    """Do the runs of task lists that were started with `--queue`, on this machine.

    Any number of workers can share a database, each with its own keys in its environment; with
    SQLite, those of this machine. Ctrl-C or SIGTERM: no new run is taken, those that go on have a
    grace, and then other workers get them. A second signal ends the grace.
    """
    _use_database(database_url)
    from orchestrator.config import load_config
    from orchestrator.journal.queues import QueueLimits
    from orchestrator.services.workers import (
        StopRequest,
        WorkerOptions,
        WorkerTimes,
        run_worker,
    )
    from orchestrator.storage.state_directory import resolve_state_directory

    state = resolve_state_directory()
    queue = load_config(state, None, (), os.environ).config.queue
    options = WorkerOptions(
        lanes or queue.lanes,
        QueueLimits(queue.fleet_lanes, queue.starts_per_hour),
        once=once,
        times=WorkerTimes(grace=grace),
    )
    stop = StopRequest()
    with handle_signals(lambda _number, _frame: stop.request(), *_STOPS):
        run_worker(state, options, stop, _print_line, dict(os.environ))


def _print_line(line: str) -> None:
    from datetime import datetime

    now = datetime.now().astimezone()
    print_lines([f"{now:%H:%M:%S} {sanitize_text(line)}"])


@click.command()
@_database_url
@as_json
def workers(database_url: str | None, as_json: bool) -> None:
    """List the workers that take runs of task lists, and those that died.

    A worker that died is listed until its row is 30 days old; its runs are given to others within
    half a minute.
    """
    _use_database(database_url)
    from orchestrator.storage.state_directory import resolve_state_directory
    from orchestrator.tasks.fleet.workers import list_workers

    found = list_workers(resolve_state_directory())
    print_lines(_iter_json(found) if as_json else _iter_lines(found))


def _iter_json(found: Sequence["WorkerRecord"]) -> Iterator[str]:
    for each in found:
        yield json.dumps(
            {
                "id": each.id,
                "host": each.process.host,
                "pid": each.process.pid,
                "alive": each.is_alive,
                "state": _describe_state(each),
                "lanes": each.lanes,
                "jobs": list(each.jobs),
                "version": each.version,
                "started": each.started.isoformat(),
                "last_seen": each.last_seen.isoformat(),
            }
        )


def _iter_lines(found: Sequence["WorkerRecord"]) -> Iterator[str]:
    from datetime import UTC, datetime

    from orchestrator.cli.tables import Column, iter_table_lines
    from orchestrator.cli.values import format_duration

    if not found:
        yield "no worker is registered; start one with `orchestrator worker`"
        return
    now = datetime.now(UTC)
    columns = [
        *(Column("HOST"), Column("PID", is_number=True), Column("STATE")),
        *(Column("RUNS", is_number=True), Column("SEEN"), Column("WORKER")),
    ]
    rows = [
        (
            *(each.process.host, each.process.pid, _describe_state(each)),
            f"{len(each.jobs)}/{each.lanes}",
            f"{format_duration(max(0.0, (now - each.last_seen).total_seconds()))} ago",
            each.id,
        )
        for each in found
    ]
    yield from iter_table_lines(columns, rows, find_width())


def _describe_state(worker: "WorkerRecord") -> str:
    return worker.state if worker.is_alive else "dead"
