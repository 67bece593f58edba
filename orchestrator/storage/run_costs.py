"""What each run has cost, from the ledger's entries and not from the results of its attempts.

An attempt that was interrupted, or whose run stopped before the attempt's end, has no result, but
has cost money. While an agent is at work, its reservation does not count.
"""

from typing import Final

from orchestrator.storage.database import Database
from teacher.models import Usage

_CLOSED: Final = "FROM spending WHERE run = runs.id AND closed = 1"

COST_COLUMN: Final = f"COALESCE((SELECT sum(cost_usd) {_CLOSED}), cost_usd) AS cost_usd"
# Postgres adds integers up to a decimal number.
TOKENS_COLUMN: Final = f"COALESCE(CAST((SELECT sum(tokens) {_CLOSED}) AS BIGINT), tokens) AS tokens"
_STARTED: Final = f"COALESCE((SELECT max(attempt) {_CLOSED}), 0)"
ATTEMPTS_COLUMN: Final = (
    f"CASE WHEN {_STARTED} > attempts THEN {_STARTED} ELSE attempts END AS attempts"
)
"""Columns of a query on `runs`; a run of an earlier version may have no entries."""


def sum_run_cost(database: Database, run: str) -> Usage:
    """Return the tokens, all counted as input, and the cost of a run so far."""
    statement = f"SELECT {TOKENS_COLUMN}, {COST_COLUMN} FROM runs WHERE id = ?"  # noqa: S608 -- our own names
    for tokens, cost in database.fetch_rows(statement, (run,)):
        return Usage(input_tokens=int(tokens), cost_usd=float(cost))
    return Usage()
