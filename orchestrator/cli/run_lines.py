"""Print runs one per line: as a table, and as JSON.

Imports nothing that a list does not need, because the table should appear at once.
"""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from orchestrator.cli.values import sanitize_text
from orchestrator.storage.database import Database
from orchestrator.storage.listing import RunSummary, describe_outcome, iter_run_values

_ROOM_FOR_TASK: Final = 30
"""Fewest columns of a task; with less beside the other values, it is on a line of its own."""


def iter_table_lines(found: Sequence[RunSummary], width: int | None = None) -> Iterator[str]:
    """Yield a line for each run, or two on a narrow terminal.

    Args:
        found: the runs.
        width: the columns of the terminal; None if the output is not a terminal.
    """
    if not found:
        yield "no runs yet"
        return
    head = f"{'RUN':<23} {'STARTED':<17} {'OUTCOME':<13} {'ATTEMPTS':>8}  {'COST':>9}  "
    is_narrow = width is not None and width - len(head) < _ROOM_FOR_TASK
    yield head.rstrip() if is_narrow else f"{head}TASK"
    for each in found:
        known = each.ended is not None or each.attempts
        cost, attempts = (f"${each.cost_usd:.4f}", each.attempts) if known else ("", "")
        started = datetime.fromisoformat(each.started).astimezone()
        task = " ".join(sanitize_text(each.task).split())
        line = (
            f"{each.id:<23} {started:%Y-%m-%d %H:%M}  {describe_outcome(each):<13} {attempts:>8}  "
            f"{cost:>9}  "
        )
        if is_narrow:
            yield line.rstrip()
        yield f"{'    ' if is_narrow else line}{task[:60]}"


def iter_json_lines(database: Database, found: Sequence[RunSummary]) -> Iterator[str]:
    """Yield a JSON object for each run, with all of its recorded values."""
    for values in iter_run_values(database, found):
        for time in ("started", "ended", "pruned"):
            values[time] = values[time] and values[time].replace("+00:00", "Z")
        yield json.dumps(values)
