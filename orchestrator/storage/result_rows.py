"""Write the result of a run as rows, so that it can be queried in SQL."""

from collections.abc import Iterator
from typing import Final

from orchestrator.models import Attempt, CaseOutcome, RunResult, SuiteReport
from orchestrator.models.fingerprints import compute_fingerprint
from orchestrator.storage.database import Database, Row

_MOST_CASES: Final = 1000
"""Most failing cases of one attempt that get a row; the stored result has all of them."""
_MESSAGE_CHARS: Final = 500

_DETAILS: Final = ("suites", "changed_paths", "failed_cases", "findings")


def write_result_rows(database: Database, run: str, result: RunResult, at: str) -> None:
    """Write the rows of a run's baseline and attempts, and replace those written before.

    Args:
        database: the database, in a transaction of the caller.
        run: the run's id.
        result: its result so far.
        at: the time for attempts that have no row yet, ISO 8601.
    """
    delete_details(database, run)
    if result.baseline:
        _write_suite(database, run, 0, result.baseline)
    for attempt in result.attempts:
        _write_attempt(database, run, attempt, at)


def delete_details(database: Database, run: str) -> None:
    """Delete the rows of a run's result, except those of its attempts."""
    for table in _DETAILS:
        database.write(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 -- our own names


def _write_attempt(database: Database, run: str, attempt: Attempt, at: str) -> None:
    number, agent, usage = attempt.number, attempt.agent, attempt.usage
    database.write(
        "INSERT INTO attempts (run, number, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (run, number, at),
    )
    database.write(
        "UPDATE attempts SET agent = ?, model = ?, program_version = ?, outcome = ?, verdict = ?,"
        " turns = ?, cost_usd = ?, tokens = ?, seconds = ?, tree_before = ?, tree_after = ?"
        " WHERE run = ? AND number = ?",
        (
            *(agent.program, agent.model, agent.program_version, agent.outcome),
            attempt.verdict.kind if attempt.verdict else "",
            *(agent.turns, usage.cost_usd, usage.tokens, attempt.seconds),
            *(attempt.before.tree, attempt.after.tree, run, number),
        ),
    )
    if attempt.report:
        _write_suite(database, run, number, attempt.report)
    database.write_many(
        "INSERT INTO changed_paths VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        [
            (run, number, each.path, each.status, each.added, each.removed)
            for each in attempt.diff.changes
        ],
    )
    database.write_many(
        "INSERT INTO failed_cases VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        _iter_case_rows(run, attempt),
    )
    database.write_many(
        "INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (run, number, position, each.kind, each.where, each.text, int(each.decisive))
            for position, each in enumerate(attempt.findings)
        ],
    )


def _write_suite(database: Database, run: str, attempt: int, report: SuiteReport) -> None:
    counts = [
        sum(case.outcome is outcome for case in report.cases)
        for outcome in (
            *(CaseOutcome.PASSED, CaseOutcome.FAILED),
            *(CaseOutcome.ERROR, CaseOutcome.SKIPPED),
        )
    ]
    database.write(
        "INSERT INTO suites VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (run, attempt, report.outcome, *counts, report.exit_code, report.seconds),
    )


def _iter_case_rows(run: str, attempt: Attempt) -> Iterator[Row]:
    verdicts = attempt.verdict.cases if attempt.verdict else {}
    for case in attempt.report.failing[:_MOST_CASES] if attempt.report else ():
        line = next((line for line in case.message.splitlines() if line.strip()), case.outcome)
        fingerprint = compute_fingerprint("pytest", [(case.id, line)])
        kind = verdicts.get(case.id, "")
        message = line[:_MESSAGE_CHARS]
        yield run, attempt.number, case.id, case.outcome, kind, fingerprint, message
