"""Removes what has been kept long enough: nothing is kept for ever by accident.

Of a run that ended long ago its folder goes, its result, its events, and the details of its
attempts. What remains are a few hundred bytes: that it was, what it came to and what it cost, and
which rules were in force for its attempts, because the counters of rules are made of that.

What is to go is written down first, and removed then: whoever is killed on the way leaves a run
that is marked, and the next one finishes it.
"""

import shutil
from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.models import RunOutcome
from orchestrator.platform import files
from orchestrator.platform.liveness import ProcessMark, is_running
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.storage.database import Database, Row
from orchestrator.storage.earlier_versions import EARLIER, archive_earlier_files
from orchestrator.storage.result_rows import delete_details
from orchestrator.storage.state_directory import (
    build_state_error,
    locks_folder,
    pins_folder,
    run_folder,
    runs_folder,
    worktree_folder,
)

_OLD: Final = (
    "SELECT id, outcome, host, process, process_started FROM runs"
    " WHERE pruned IS NULL AND coalesce(ended, started) < ? ORDER BY started"
)


@dataclass(frozen=True)
class PruneResult:
    """What was removed, or would be."""

    runs: tuple[str, ...] = ()
    size: int = 0
    """Bytes of the files."""
    retained: tuple[str, ...] = ()
    """Runs that are old and stay, because their work tree is there."""


def find_prunable(
    database: Database, before: datetime, withdrawn: Collection[str] = ()
) -> PruneResult:
    """Return what `prune` would remove.

    Args:
        database: the record.
        before: runs that ended before this moment count, and those that were started before it and
            never ended; one that is at work, or whose work tree is there, does not.
        withdrawn: statuses of rules that nobody puts to the proof any more: what they were learned
            from goes once they have been so for as long.
    """
    old = tuple(_iter_old_runs(database, before))
    kept = tuple(run for run in old if files.exists(worktree_folder(database.directory, run)))
    runs = tuple(run for run in old if run not in kept)
    folders = {run_folder(database.directory, run) for run in runs}
    folders |= set(_iter_leftovers(database, before, withdrawn))
    return PruneResult(runs, sum(map(_measure_folder, folders)), kept)


def prune_database(
    database: Database, before: datetime, withdrawn: Collection[str] = ()
) -> PruneResult:
    """Remove what has been kept long enough. If another process does it just now, nothing is done.

    Args:
        database: the record.
        before: as in `find_prunable`.
        withdrawn: as in `find_prunable`.

    Raises:
        InfrastructureError: something cannot be removed; all else is.
    """
    lock = FileLock(locks_folder(database.directory) / "prune.lock", seconds=0)
    try:
        with lock:
            found = find_prunable(database, before, withdrawn)
            for run in found.runs:
                _mark_pruned(database, run)
            _remove_folders(database, tuple(_iter_leftovers(database, before, withdrawn)))
            if database.is_local:
                archive_earlier_files(database)
            return found
    except LockHeldError:
        return PruneResult()
    except OSError as error:
        raise build_state_error(database.directory, error) from error


def _remove_folders(database: Database, folders: Collection[Path]) -> None:
    failed: OSError | None = None
    for folder in folders:
        try:
            shutil.rmtree(folder)
        except FileNotFoundError:
            continue
        except OSError as error:
            failed = error
    if failed:
        raise build_state_error(database.directory, failed) from failed


def _mark_pruned(database: Database, run: str) -> None:
    """Remove a run's rows and write down that its files are to go, in one transaction.

    Its token goes up: a process that is taken for dead and is not has lost the run.
    """
    with database.transaction():
        rows = database.fetch_rows(
            "SELECT outcome, host, process, process_started FROM runs"
            " WHERE id = ? AND pruned IS NULL",
            (run,),
        )
        if not rows or _is_at_work(database, rows[0]):
            return  # it was resumed, or pruned by somebody else, just now
        delete_details(database, run)
        for table in ("results", "events"):
            database.write(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 -- our own
        now = datetime.now(UTC).isoformat()
        database.write("UPDATE runs SET pruned = ?, token = token + 1 WHERE id = ?", (now, run))


def _iter_old_runs(database: Database, before: datetime) -> Iterator[str]:
    for run, *row in database.fetch_rows(_OLD, (before.isoformat(),)):
        if not _is_at_work(database, tuple(row)):
            yield run


def _is_at_work(database: Database, row: Row) -> bool:
    outcome, *mark = row
    return outcome == RunOutcome.RUNNING and is_running(ProcessMark(*mark), local=database.is_local)


def _iter_leftovers(
    database: Database, before: datetime, withdrawn: Collection[str]
) -> Iterator[Path]:
    """Yield the folders that nobody needs, whole: of runs that are marked, of rules, and others."""
    marked = {run for (run,) in database.fetch_rows("SELECT id FROM runs WHERE pruned IS NOT NULL")}
    for entry in files.list_folder(runs_folder(database.directory)):
        if entry.name in marked and files.is_real_folder(entry):
            yield Path(entry.path)
    yield from _iter_unneeded_pins(database, before, withdrawn)
    earlier = database.directory / EARLIER
    with suppress(OSError):
        if earlier.lstat().st_mtime < before.timestamp() and not files.is_link(earlier):
            yield earlier


def _iter_unneeded_pins(
    database: Database, before: datetime, withdrawn: Collection[str]
) -> Iterator[Path]:
    """Yield the folders of what rules were learned from that were withdrawn long ago.

    A rule that this record does not know may be one of another record.
    """
    gone, needed = set[str](), set[str]()
    for rule, status, mattered in database.fetch_rows("SELECT id, status, mattered FROM rules"):
        old = status in withdrawn and mattered < before.isoformat()
        (gone if old else needed).add(rule)
    for entry in files.list_folder(pins_folder(database.directory)):
        if entry.name in gone - needed and files.is_real_folder(entry):
            yield Path(entry.path)


def _measure_folder(folder: Path) -> int:
    size = 0
    for path in files.iter_files(folder):
        with suppress(OSError):  # it is removed just now
            size += Path(path).lstat().st_size
    return size
