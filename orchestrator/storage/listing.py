"""List runs for `orchestrator runs`, without decoding their results.

It imports none of the types in a result: decoding the results of 1,000 runs took nine seconds.
"""

import json
import platform
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.storage.database import Database, Row
from orchestrator.storage.packing import unpack_result
from orchestrator.storage.run_costs import ATTEMPTS_COLUMN, COST_COLUMN, TOKENS_COLUMN
from orchestrator.storage.state_directory import run_folder


class RunSummary(NamedTuple):
    """A run, without its result."""

    id: str
    task: str
    project: str
    started: str
    """ISO 8601, with a time zone."""
    ended: str | None
    outcome: str
    message: str
    attempts: int
    cost_usd: float
    tokens: int
    host: str
    """The machine of its process. Whether it is running can only be checked there."""
    process: int
    process_started: float
    pruned: str | None
    """When its files and details were removed, ISO 8601; None if they were not."""
    undone: str | None
    """When files of it were restored last, ISO 8601; None if they never were."""


_RUNNING: Final = "running"
"""RunOutcome.RUNNING, without importing the results of runs."""

_COMPUTED: Final = {
    "attempts": ATTEMPTS_COLUMN,
    "cost_usd": COST_COLUMN,
    "tokens": TOKENS_COLUMN,
}
COLUMNS: Final = ", ".join(_COMPUTED.get(name, name) for name in RunSummary._fields)


def list_summaries(database: Database, limit: int, project: str = "") -> list[RunSummary]:
    """Return the newest runs first.

    Args:
        database: the database.
        limit: how many at most.
        project: the path of a project, for its runs alone.
    """
    where, values = ("WHERE project = ?", (project,)) if project else ("", ())
    statement = f"SELECT {COLUMNS} FROM runs {where} ORDER BY started DESC, id DESC LIMIT ?"  # noqa: S608
    rows = database.fetch_rows(statement, (*values, limit))
    with database.explain_damage():
        return [_check_process(database, _build_summary(row)) for row in rows]


def _build_summary(row: Row) -> RunSummary:
    """Return a row as a summary.

    Raises:
        ValueError, TypeError: a value is damaged.
    """
    summary = RunSummary(*row)
    texts = (summary.id, summary.task, summary.project, summary.outcome, summary.message)
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"run {summary.id!r} has bytes in place of a text")
    datetime.fromisoformat(summary.started)
    return summary._replace(
        cost_usd=float(summary.cost_usd),
        attempts=int(summary.attempts),
        tokens=int(summary.tokens),
    )


def find_summary(database: Database, run: str) -> RunSummary:
    """Return the run with an id, which must exist."""
    statement = f"SELECT {COLUMNS} FROM runs WHERE id = ?"  # noqa: S608 -- our own names
    rows = database.fetch_rows(statement, (run,))
    with database.explain_damage():
        return _check_process(database, _build_summary(rows[0]))


def describe_outcome(run: RunSummary) -> str:
    """Return a run's outcome in words, with the machine if it is running on another one."""
    if run.outcome == _RUNNING and run.host != platform.node():
        return f"{run.outcome} on {run.host}"
    return f"{run.outcome}, undone" if run.undone else run.outcome


def _check_process(database: Database, run: RunSummary) -> RunSummary:
    """Correct the outcome of a run whose process was killed and that nobody has closed yet."""
    if run.outcome != _RUNNING:
        return run
    from orchestrator.models import RunOutcome  # slow to import, and mostly no run is active
    from orchestrator.platform.liveness import ProcessMark
    from orchestrator.storage.killed_runs import find_outcome

    mark = ProcessMark(run.host, run.process, run.process_started)
    outcome = find_outcome(RunOutcome(run.outcome), mark, local=database.is_local)
    return run._replace(outcome=outcome)


def iter_run_values(
    database: Database, summaries: Sequence[RunSummary]
) -> Iterator[dict[str, Any]]:
    """Yield all that is stored about each run, as values for JSON."""
    for each in summaries:
        rows = database.fetch_rows("SELECT result FROM results WHERE run = ?", (each.id,))
        with database.explain_damage():
            result = json.loads(unpack_result(rows[0]))["value"] if rows else None
            if result and result["outcome"] == _RUNNING:
                result["outcome"] = each.outcome  # it was saved before its process was killed
        yield {
            "id": each.id,
            "task": {"text": each.task, "project": each.project},
            "started": each.started,
            "ended": each.ended,
            "outcome": each.outcome,
            "folder": str(run_folder(database.directory, each.id)),
            "result": result,
            "host": each.host,
            "process": each.process,
            "cost_usd": each.cost_usd,
            "tokens": each.tokens,
            "message": each.message,
            "pruned": each.pruned,
            "undone": each.undone,
            **dict(zip(("list", "list_task"), find_list_task(database, each.id), strict=True)),
        }


def find_list_task(database: Database, run: str) -> tuple[str, str]:
    """Return the ids of the task list and of the task that a run is for; empty if for none."""
    rows = database.fetch_rows("SELECT list, task FROM task_runs WHERE run = ?", (run,))
    return (str(rows[0][0]), str(rows[0][1])) if rows else ("", "")
