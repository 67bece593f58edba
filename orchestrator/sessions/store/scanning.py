"""Read the transcripts that are new or have changed, and store what they contain.

What is stored of a session and its files is replaced in one transaction: a process that is killed
leaves the sessions that it has read, and the next scan reads the others. The facts of transcripts
that are gone stay: they are the history.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import InfrastructureError
from orchestrator.masking import Masker
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.sessions.reading.files import find_outer_links, find_transcripts
from orchestrator.sessions.store.scan_results import ScanCount, ScanProblem, ScanResult
from orchestrator.sessions.store.watermarks import (
    FamilyState,
    Watermark,
    examine_family,
    load_watermarks,
    name_path,
)
from orchestrator.storage.database import Database
from orchestrator.storage.state_directory import locks_folder

if TYPE_CHECKING:
    from orchestrator.sessions.reading.files import Family

_LOCK_SECONDS: Final = 900.0
_LINK: Final = "is a link to another folder, which is not read"


def scan_transcripts(
    database: Database,
    homes: Sequence[Path],
    create_masker: Callable[[], Masker],
    own_folders: Iterable[Path] = (),
    on_start: Callable[[int], None] | None = None,
    families: Sequence["Family"] | None = None,
) -> ScanResult:
    """Store what transcripts contain that are new or have changed since the last scan.

    Args:
        database: stores it.
        homes: configuration folders of Claude Code.
        create_masker: called if there is anything to read.
        own_folders: folders whose sessions are our own; the state directory always is.
        on_start: called with the number of sessions that will be read, if there are any.
        families: what was found in the homes, if the caller has it.

    Raises:
        InfrastructureError: the database fails, or another process has been scanning for too long.
    """
    found = list(families) if families is not None else list_families(homes)
    states = [examine_family(family) for family in found]
    watermarks = load_watermarks(database)
    changed = _list_changed(states, watermarks)
    count = ScanCount()
    if changed:
        if on_start:
            on_start(len(changed))
        count = _scan_locked(database, states, create_masker, own_folders)
    links = [link for home in homes for link in find_outer_links(home)]
    problems = [*count.problems, *(ScanProblem(str(link), _LINK) for link in links)]
    present = {state.name for state in states if not state.is_gone}
    scanned = set(map(name_path, homes))
    known = {mark.family for mark in watermarks.values() if mark.home in scanned}
    return ScanResult(
        families=len(present),
        read=count.read,
        unchanged=len(states) - len(changed),
        vanished=len(known - present),
        rows=count.rows,
        unreadable=count.unreadable,
        sessions=dict(sorted(count.sessions.items())),
        problems=tuple(sorted(problems, key=lambda each: (each.location, each.reason))),
    )


def list_families(homes: Iterable[Path]) -> list["Family"]:
    """Return the sessions in all homes, each with its files."""
    return [family for home in homes for family in find_transcripts(home)]


def _list_changed(
    states: Iterable[FamilyState], watermarks: Mapping[str, Watermark]
) -> list[FamilyState]:
    return [each for each in states if not each.is_gone and not each.is_unchanged(watermarks)]


def _scan_locked(
    database: Database,
    states: Sequence[FamilyState],
    create_masker: Callable[[], Masker],
    own_folders: Iterable[Path],
) -> ScanCount:
    # Here, because a list of sessions in which nothing has changed should appear at once.
    from orchestrator.sessions.store.family_scan import FamilyScan

    try:
        with FileLock(locks_folder(database.directory) / "sessions.lock", _LOCK_SECONDS):
            # Again: another process may have read them while this one waited.
            watermarks = load_watermarks(database)
            scan = FamilyScan(
                database, watermarks, create_masker(), states, [database.directory, *own_folders]
            )
            for state in _list_changed(states, watermarks):
                scan.scan_family(state)
            return scan.count
    except LockHeldError:
        raise InfrastructureError(
            "another process has been reading transcripts for too long", "wait for it, or end it"
        ) from None
