"""Print runs one per line: as a table, and as JSON.

Imports nothing that a list does not need, because the table should appear at once.
"""

import json
import textwrap
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.storage.database import Database
from orchestrator.storage.listing import RunSummary, describe_outcome, iter_run_values

_COLUMNS: Final = (
    Column("RUN"),
    Column("STARTED"),
    Column("OUTCOME"),
    Column("ATTEMPTS", is_number=True),
    Column("COST", is_number=True),
    Column("TASK"),
)
_LONGEST_TASK: Final = 200
"""Characters of a task that are listed, in whole words."""


def iter_run_table(found: Sequence[RunSummary], width: int | None = None) -> Iterator[str]:
    """Yield the lines of a table of runs.

    Args:
        found: the runs.
        width: the columns of the terminal; None if the output is not a terminal.
    """
    if not found:
        yield "no runs yet"
        return
    yield from iter_table_lines(_COLUMNS, [_build_row(each) for each in found], width)


def _build_row(run: RunSummary) -> tuple[object, ...]:
    known = run.ended is not None or run.attempts
    started = datetime.fromisoformat(run.started).astimezone()
    return (
        run.id,
        f"{started:%Y-%m-%d %H:%M}",
        describe_outcome(run),
        run.attempts if known else "",
        f"${run.cost_usd:.4f}" if known else "",
        textwrap.shorten(run.task, _LONGEST_TASK, placeholder=" ..."),
    )


def iter_json_lines(database: Database, found: Sequence[RunSummary]) -> Iterator[str]:
    """Yield a JSON object for each run, with all of its recorded values."""
    for values in iter_run_values(database, found):
        for time in ("started", "ended", "pruned", "undone"):
            values[time] = values[time] and values[time].replace("+00:00", "Z")
        yield json.dumps(values)
