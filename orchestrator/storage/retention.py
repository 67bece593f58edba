"""Removes what has been kept long enough: nothing is kept for ever by accident.

Of a run that ended long ago its folder goes, its result, its events, and the details of its
attempts. What remains are a few hundred bytes: that it was, what it came to and what it cost, and
which rules were in force for its attempts, because the counters of rules are made of that.

What is to go is written down first, and removed then: whoever is killed on the way leaves a run
that is marked, and the next one finishes it.
"""

import shutil
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator import files
from orchestrator.models import RunOutcome
from orchestrator.storage.database import Database, Row
from orchestrator.storage.place import folder_of_run, pins_of, runs_of, unusable, worktree_of_run
from orchestrator.storage.result_rows import delete_details
from orchestrator.storage.takeover import EARLIER, put_aside

_OLD: Final = (
    "SELECT id, outcome, process FROM runs"
    " WHERE pruned IS NULL AND coalesce(ended, started) < ? ORDER BY started"
)


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    runs: tuple[str, ...] = ()
    size: int = 0
    """Bytes of the files."""


def find_prunable(database: Database, before: datetime, withdrawn: Collection[str] = ()) -> Pruned:
    """Return what `prune` would remove.

    Args:
        database: the record.
        withdrawn: statuses of rules that nobody puts to the proof any more: what they were learned
            from goes once they have been so for as long.
        before: runs that ended before this moment count, and those that were begun before it and
            never ended; one that is at work, or whose work tree is there, does not.
    """
    runs = tuple(_list_old(database, before))
    folders = [folder_of_run(database.directory, run) for run in runs]
    return Pruned(runs, sum(map(_measure, [*folders, *_leftovers(database, before, withdrawn)])))


def prune(database: Database, before: datetime, withdrawn: Collection[str] = ()) -> Pruned:
    """Remove what has been kept long enough.

    Args:
        database: the record.
        before: as in `find_prunable`.
        withdrawn: as in `find_prunable`.

    Raises:
        InfrastructureError: something cannot be removed.
    """
    found = find_prunable(database, before, withdrawn)
    for run in found.runs:
        _mark(database, run)
    try:
        for folder in _leftovers(database, before, withdrawn):
            shutil.rmtree(folder)
    except OSError as error:
        raise unusable(database.directory, error) from error
    if database.is_local:
        put_aside(database.directory)
    return found


def _mark(database: Database, run: str) -> None:
    """Remove a run's rows and write down that its files are to go, in one transaction."""
    with database.transaction():
        rows = database.rows(
            "SELECT outcome, process FROM runs WHERE id = ? AND pruned IS NULL", (run,)
        )
        if not rows or _is_at_work(rows[0]):
            return  # it was resumed, or pruned by somebody else, just now
        delete_details(database, run)
        for table in ("results", "events"):
            database.write(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 -- our own
        now = datetime.now(UTC).isoformat()
        database.write("UPDATE runs SET pruned = ? WHERE id = ?", (now, run))


def _list_old(database: Database, before: datetime) -> Iterator[str]:
    for run, *row in database.rows(_OLD, (before.isoformat(),)):
        there = files.exists(worktree_of_run(database.directory, run))
        if not there and not _is_at_work(tuple(row)):
            yield run


def _is_at_work(row: Row) -> bool:
    import psutil

    outcome, process = row
    return outcome == RunOutcome.RUNNING and psutil.pid_exists(process)


def _leftovers(database: Database, before: datetime, withdrawn: Collection[str]) -> Iterator[Path]:
    """Yield the folders that nobody needs, whole: of runs that are marked, of rules, and others."""
    marked = {run for (run,) in database.rows("SELECT id FROM runs WHERE pruned IS NOT NULL")}
    for entry in files.list_folder(runs_of(database.directory)):
        if entry.name in marked:
            yield Path(entry.path)
    yield from _find_unneeded_pins(database, before, withdrawn)
    earlier = database.directory / EARLIER
    if files.is_folder(earlier) and earlier.stat().st_mtime < before.timestamp():
        yield earlier


def _find_unneeded_pins(
    database: Database, before: datetime, withdrawn: Collection[str]
) -> Iterator[Path]:
    """Yield the folders of what rules were learned from that were withdrawn long ago."""
    needed = {
        rule
        for rule, status, mattered in database.rows("SELECT id, status, mattered FROM rules")
        if status not in withdrawn or mattered >= before.isoformat()
    }
    for entry in files.list_folder(pins_of(database.directory)):
        old = entry.stat(follow_symlinks=False).st_mtime < before.timestamp()
        if entry.name not in needed and old:
            yield Path(entry.path)


def _measure(folder: Path) -> int:
    return sum(Path(path).lstat().st_size for path in files.find_files(folder))
