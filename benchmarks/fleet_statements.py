"""The statements of a fleet: what each costs the server, and how often they are sent."""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

import psycopg

from benchmarks.fleet_scene import LANES, QUEUE, VERSION

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
    connection: psycopg.Connection[Any],
    workers: int,
) -> list[Statement]:
    """Explain each statement of a fleet with so many workers, the most expensive one first.

    The rates are those of a fleet whose lanes are all busy with jobs of ten minutes, and whose
    workers all look for more each second nevertheless: more than any real one sends.
    """
    found = [
        *_explain_dbos(system, workers),
        *(_explain(connection, *each) for each in _list_own_statements(workers)),
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


def _list_own_statements(workers: int) -> list[tuple[str, str, tuple[Any, ...], float]]:
    """Return our statements with their values, and how often a fleet of this size sends them."""
    running, reaps = (workers * LANES), workers / 12
    names = [f"worker-{number}" for number in range(1, workers + 1)]
    job = "enqueued-7"
    return [
        (
            "worker: does it still own its job",
            "SELECT status, token, cancelled FROM jobs WHERE id = %s",
            (job,),
            running / 3,
        ),
        (
            "worker: sign of life",
            "UPDATE workers SET last_seen = %s, state = 'serving' WHERE id = 'worker-7'",
            (str(time.time()),),
            workers / 5,
        ),
        (
            "reaper: jobs that run by our record",
            "SELECT id, worker FROM jobs WHERE status = 'running' ORDER BY id",
            (),
            reaps,
        ),
        (
            "reaper: locks that are held",
            "SELECT name FROM unnest(%s::text[]) AS name WHERE EXISTS (SELECT 1 FROM"
            " pg_catalog.pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 1 AND l.granted"
            " AND l.database = (SELECT oid FROM pg_catalog.pg_database"
            " WHERE datname = current_database()) AND ((l.classid::bigint << 32) | l.objid::bigint)"
            " = hashtextextended('plt:'::text || name, 7))",
            (names,),
            reaps,
        ),
        (
            "reaper: sign of life of one worker",
            "SELECT last_seen FROM workers WHERE id = 'worker-7'",
            (),
            reaps * workers,
        ),
        (
            "list: a job's row, of each that runs",
            "SELECT project, repository, content, config, status, token, worker, cancelled,"
            " message, result, created, started, ended FROM jobs WHERE id = %s",
            (job,),
            running / 1.0,
        ),
        (
            "claim of a job",
            "UPDATE jobs SET token = token + 1, worker = 'worker-7', status = 'running',"
            " started = COALESCE(started, '2026') WHERE id = %s AND status <> 'ended'",
            (job,),
            running / 600,
        ),
        (
            "`orchestrator workers`: all unfinished jobs",
            "SELECT project, content, config FROM jobs WHERE status IN ('queued', 'running')"
            " ORDER BY created, id",
            (),
            0.0,
        ),
    ]


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
