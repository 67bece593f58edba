"""Remove the files and details of runs that are older than the retention period.

Removed are a run's folder, its result, its events, and the details of its attempts. A few hundred
bytes remain: the run, its outcome and its cost, and the rules that were active in its attempts,
because the counters of rules are computed from those.

A run is marked before its files are removed. If the process is killed in between, the next one
finds the mark and removes the rest.
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
    " WHERE pruned IS NULL AND coalesce(ended, started) < ? AND (lane = '' OR NOT ("
    " EXISTS (SELECT 1 FROM tasks t WHERE t.run = runs.id AND t.state IN ('running', 'merging'))"
    " OR EXISTS (SELECT 1 FROM jobs j WHERE j.run = runs.id AND j.status <> 'ended')))"
    " ORDER BY started"
)
"""The run of a lane is needed until the list has taken what came of it."""


@dataclass(frozen=True)
class PruneResult:
    """What was removed, or would be."""

    runs: tuple[str, ...] = ()
    size: int = 0
    """Bytes of the removed files."""
    retained: tuple[str, ...] = ()
    """Old runs that are retained because their work tree still exists."""


def find_prunable(
    database: Database, before: datetime, withdrawn: Collection[str] = ()
) -> PruneResult:
    """Return what `prune_database` would remove.

    Args:
        database: the database.
        before: runs that ended before this time are old, and those that were started before it and
            never ended; runs that are active, or whose work tree exists, are retained.
        withdrawn: statuses of rules that are no longer tested. The project that such a rule was
            learned from is removed when the rule last mattered before that time.
    """
    old = tuple(_iter_old_runs(database, before))
    retained = tuple(run for run in old if files.exists(worktree_folder(database.directory, run)))
    runs = tuple(run for run in old if run not in retained)
    folders = {run_folder(database.directory, run) for run in runs}
    folders |= set(_iter_leftovers(database, before, withdrawn))
    return PruneResult(runs, sum(map(_measure_folder, folders)), retained)


def prune_database(
    database: Database, before: datetime, withdrawn: Collection[str] = ()
) -> PruneResult:
    """Remove what is old. Does nothing while another process does the same.

    Args:
        database: the database.
        before: as in `find_prunable`.
        withdrawn: as in `find_prunable`.

    Raises:
        InfrastructureError: something could not be removed; everything else was.
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
    """Remove a run's rows and mark its files for removal, in one transaction.

    The token is incremented: should a process that seemed dead still be active, it loses the run.
    """
    with database.transaction():
        rows = database.fetch_rows(
            "SELECT outcome, host, process, process_started FROM runs"
            " WHERE id = ? AND pruned IS NULL",
            (run,),
        )
        if not rows or _is_active(database, rows[0]):
            return  # it has just been resumed, or pruned by another process
        delete_details(database, run)
        for table in ("results", "events"):
            database.write(f"DELETE FROM {table} WHERE run = ?", (run,))  # noqa: S608 -- our own
        now = datetime.now(UTC).isoformat()
        database.write("UPDATE runs SET pruned = ?, token = token + 1 WHERE id = ?", (now, run))


def _iter_old_runs(database: Database, before: datetime) -> Iterator[str]:
    for run, *row in database.fetch_rows(_OLD, (before.isoformat(),)):
        if not _is_active(database, tuple(row)):
            yield run


def _is_active(database: Database, row: Row) -> bool:
    outcome, *mark = row
    return outcome == RunOutcome.RUNNING and is_running(ProcessMark(*mark), local=database.is_local)


def _iter_leftovers(
    database: Database, before: datetime, withdrawn: Collection[str]
) -> Iterator[Path]:
    """Yield the folders to remove: of marked runs, of withdrawn rules, of earlier versions."""
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
    """Yield the pinned projects of rules that were withdrawn long ago.

    Those of unknown rules are retained: they may belong to the rules of another database.
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
        with suppress(OSError):  # it has just been removed
            size += Path(path).lstat().st_size
    return size
