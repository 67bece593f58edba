"""List runs for `orchestrator runs`, without decoding their results.

It imports none of the types in a result: decoding the results of 1,000 runs took nine seconds.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from orchestrator.storage.database import Database
from orchestrator.storage.packing import unpack_result
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
    process: int
    pruned: str | None
    """When its files and details were removed, ISO 8601; None if they were not."""


COLUMNS: Final = ", ".join(RunSummary._fields)


def list_summaries(database: Database, limit: int, project: str = "") -> list[RunSummary]:
    """Return the newest runs first.

    Args:
        database: the database.
        limit: how many at most.
        project: the path of a project, for its runs alone.
    """
    where, values = ("WHERE project = ?", (project,)) if project else ("", ())
    statement = f"SELECT {COLUMNS} FROM runs {where} ORDER BY started DESC, id DESC LIMIT ?"  # noqa: S608
    return [RunSummary(*row) for row in database.fetch_rows(statement, (*values, limit))]


def find_summary(database: Database, run: str) -> RunSummary:
    """Return the run with an id, which must exist."""
    statement = f"SELECT {COLUMNS} FROM runs WHERE id = ?"  # noqa: S608 -- our own names
    return RunSummary(*database.fetch_rows(statement, (run,))[0])


def iter_run_values(
    database: Database, summaries: Sequence[RunSummary]
) -> Iterator[dict[str, Any]]:
    """Yield all that is stored about each run, as values for JSON."""
    for each in summaries:
        rows = database.fetch_rows("SELECT result FROM results WHERE run = ?", (each.id,))
        yield {
            "id": each.id,
            "task": {"text": each.task, "project": each.project},
            "started": each.started,
            "ended": each.ended,
            "outcome": each.outcome,
            "folder": str(run_folder(database.directory, each.id)),
            "result": json.loads(unpack_result(rows[0]))["value"] if rows else None,
            "process": each.process,
            "cost_usd": each.cost_usd,
            "tokens": each.tokens,
            "message": each.message,
            "pruned": each.pruned,
        }
