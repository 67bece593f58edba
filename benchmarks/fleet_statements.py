"""The statements of a fleet: what each costs the server, and how often they are sent."""

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks import fleet_scene
from benchmarks.fleet_scene import LANES, QUEUE, VERSION
from orchestrator.services import queue_runner
from orchestrator.services.workers import WorkerTimes
from orchestrator.storage.database import Database
from orchestrator.storage.process_locks import find_free
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import Job, WorkerState
from orchestrator.tasks.fleet.workers import WorkerStore
from orchestrator.tasks.models import TaskOrder

if TYPE_CHECKING:
    from dbos._sys_db import SystemDatabase

Values = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True)
class Statement:
    """A statement with what it costs the server, and how often a fleet sends it."""

    name: str
    milliseconds: float
    per_second: float
    plan: str

    @property
    def cost(self) -> float:
        """Milliseconds of a processor of the server in each second."""
        return self.milliseconds * self.per_second


def explain_statements(
    system: "SystemDatabase",
    database: Database,
    connection: psycopg.Connection[Any],
    workers: int,
) -> list[Statement]:
    """Explain each statement of a fleet with so many workers, the most expensive one first.

    The rates are those of a fleet whose lanes are all busy with jobs of ten minutes, and whose
    workers all look for more each second nevertheless: more than any real one sends.
    """
    found = [
        *_explain_dbos(system, workers),
        *_explain_own(database, connection, workers),
    ]
    return sorted(found, key=lambda each: each.cost, reverse=True)


def _explain_dbos(system: "SystemDatabase", workers: int) -> list[Statement]:
    """Explain what DBOS sends: with as many idle workers as busy ones, and all reapers."""
    from dbos import DBOS
    from sqlalchemy import event

    seen: list[tuple[str, Values]] = []

    def note(_connection: object, _cursor: object, text: str, values: Values, *_: object) -> None:
        seen.append((text, values))

    queue = system.get_queue(QUEUE)
    assert queue
    queue._worker_concurrency, queue._concurrency = LANES, (workers * LANES) * 2
    event.listen(system.engine, "before_cursor_execute", note)
    found, _ = system.start_queued_workflows(queue, "w", VERSION, None, 0, owner_xid="x")
    system.get_workflow_statuses(found)
    DBOS.list_workflows(status=["PENDING"], queue_name=QUEUE, load_input=False, load_output=False)
    event.remove(system.engine, "before_cursor_execute", note)
    polls, starts, reaps = workers / 1.0, (workers * LANES) / 600, workers / 12
    kinds = (
        ("DBOS, dequeue: count what runs", "count(*)", polls),
        ("DBOS, dequeue: latest version", "application_versions", polls),
        ("DBOS, dequeue: lock the next rows", "FOR UPDATE", polls),
        ("DBOS, dequeue: claim", "UPDATE dbos.workflow_status", starts),
        ("DBOS, start: read the job", "workflow_input", starts),
        ("reaper: jobs that workers have", "ORDER BY dbos.workflow_status.created_at ASC", reaps),
    )
    explained = []
    for name, part, rate in kinds:
        text, values = next((text, values) for text, values in reversed(seen) if part in text)
        with system.engine.connect() as connection:
            # The driver's placeholders are in the text, as they were when DBOS sent it.
            driver: Any = connection.connection.driver_connection
            explained.append(_explain(driver, name, text, values, rate))
            connection.rollback()
    return explained


def _explain_own(
    database: Database, connection: psycopg.Connection[Any], workers: int
) -> list[Statement]:
    """Explain what we send: what our own methods send when they are called."""
    jobs, store, times = JobStore(database), WorkerStore(database), WorkerTimes()
    text = "x" * fleet_scene.CONFIG_BYTES
    order = TaskOrder("list", "T", "real", text, "base", 5, 1.0)
    jobs.create_job(Job(order, Path("/project"), "", "url", text))
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    running, reaps = workers * LANES, workers / times.reap
    calls: tuple[tuple[str, Callable[[], object], float], ...] = (
        ("claim of a job", lambda: jobs.claim_job("real", names[0]), running / 600),
        (
            "worker: does it still own its job",
            lambda: jobs.check_owner("real", 1),
            running / times.poll,
        ),
        (
            "worker: sign of life",
            lambda: store.see_worker(names[0], WorkerState.SERVING),
            workers / times.seen,
        ),
        ("reaper: jobs that run by our record", jobs.list_running, reaps),
        ("reaper: locks that are held", lambda: find_free(database, names), reaps),
        ("reaper: signs of life of all workers", store.read_last_seen, reaps),
        (
            "list: a job's row, of each that runs",
            lambda: jobs.load_job("real"),
            running / queue_runner._POLL_SECONDS,
        ),
    )
    found = []
    for name, call, rate in calls:
        with _note_statements(database) as seen:
            call()
        # A change is sent first, and what is read after it is another entry.
        found.append(_explain(connection, name, *seen[0], rate))
    return found


@contextlib.contextmanager
def _note_statements(database: Database) -> Iterator[list[tuple[str, Values]]]:
    """Note the statements that a database sends while the block runs, as psycopg takes them."""
    seen: list[tuple[str, Values]] = []
    engine: Any = database._engine
    execute = engine.execute

    def note(statement: str, values: Sequence[Any]) -> object:
        seen.append((statement.replace("?", "%s"), values))
        return execute(statement, values)

    engine.execute = note
    try:
        yield seen
    finally:
        del engine.execute


def _explain(
    connection: psycopg.Connection[Any], name: str, text: str, values: Values, rate: float
) -> Statement:
    """Return the median of five executions, each undone."""
    times, plan = [], {}
    for _ in range(5):
        with connection.transaction(force_rollback=True):
            cursor = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {text}".encode(), values)
            ((found,),) = cursor.fetchall()
        (plan,) = found if isinstance(found, list) else json.loads(found)
        times.append(plan["Planning Time"] + plan["Execution Time"])
    return Statement(name, median(times), rate, " > ".join(_list_nodes(plan["Plan"])))


def _list_nodes(node: Mapping[str, Any]) -> list[str]:
    """Return the nodes of a plan that touch a table, with rows and index."""
    names = []
    if table := node.get("Relation Name") or node.get("Function Name"):
        index = f" by {node['Index Name']}" if "Index Name" in node else ""
        names.append(f"{node['Node Type']} {table}{index} ({node['Actual Rows']:.0f} rows)")
    elif node["Node Type"] in ("Sort", "LockRows"):
        names.append(node["Node Type"])
    for each in node.get("Plans", ()):
        names += _list_nodes(each)
    return names
