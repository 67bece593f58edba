"""Read one session with its files, examine it, and store what was found.

It imports the reader and all detectors, and is imported only if there is something to read.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeVar

from orchestrator.errors import InfrastructureError, RefusedValueError
from orchestrator.masking import Masker
from orchestrator.platform import files
from orchestrator.sessions.counting.tasks import TaskFacts, count_tasks
from orchestrator.sessions.detectors.occurrences import Occurrence
from orchestrator.sessions.detectors.registry import DETECTORS
from orchestrator.sessions.models import Session, SessionClass
from orchestrator.sessions.reading.deduplication import KnownIds, pack_ids, unpack_ids
from orchestrator.sessions.reading.family_reading import FamilyReading, FileReading, read_family
from orchestrator.sessions.reading.own_sessions import load_own_sessions
from orchestrator.sessions.store.records import (
    SessionRecord,
    build_record,
    write_sessions,
)
from orchestrator.sessions.store.scan_results import ScanCount, ScanProblem
from orchestrator.sessions.store.session_project import find_session_project
from orchestrator.sessions.store.watermarks import (
    READER_VERSION,
    FamilyState,
    FileState,
    Watermark,
    name_path,
)
from orchestrator.storage.database import Database, normalize_text

T = TypeVar("T")

_LONGEST_CACHED: Final = 2_000


class FamilyScan:
    """Reads changed sessions one after the other.

    Args:
        database: stores what was found.
        watermarks: the state in which each file was read last.
        masker: removes secrets from what is stored.
        states: all sessions with their files as they are now.
        own_folders: folders whose sessions are our own.
    """

    def __init__(
        self,
        database: Database,
        watermarks: Mapping[str, Watermark],
        masker: Masker,
        states: Sequence[FamilyState],
        own_folders: Sequence[Path],
    ) -> None:
        self.count = ScanCount()
        self._database = database
        self._known, self._ids = _load_ids(database)
        self._own_folders = tuple(each.resolve() for each in own_folders)
        self._own = load_own_sessions(database, _find_last_times(states))
        self._files = defaultdict[str, set[str]](set)
        for path, mark in watermarks.items():
            self._files[mark.family].add(path)
        present = {state.name for state in states if not state.is_gone}
        self._vanished = defaultdict[str, list[str]](list)
        """Stored families whose files are gone, by the name of their main file."""
        for family in self._files.keys() - present:
            self._vanished[Path(family).stem].append(family)
        self._masker = masker
        self._mask_short = lru_cache(maxsize=20_000)(masker.mask)

    def scan_family(self, state: FamilyState) -> None:
        """Read a session with its files, and store what was found."""
        moved = self._find_moved(state)
        if not moved or not self._scan_as(state, (state.name, *moved)):
            self._scan_as(state, (state.name,))

    def _find_moved(self, state: FamilyState) -> list[str]:
        """Return the stored families that a family may have been before its folder was renamed."""
        found = self._vanished[normalize_text(state.family.name)]
        is_gone = {name: not any(map(files.exists, self._files[name])) for name in found}
        return sorted(name for name in found if is_gone[name])

    def _scan_as(self, state: FamilyState, names: Sequence[str]) -> bool:
        """Read a session with its files in the place of what is stored by some names.

        Return whether it is the session that was stored by all these names.
        """
        family = state.family
        released = {path: self._ids.pop(path, b"") for name in names for path in self._files[name]}
        for packed in released.values():
            self._known.release(unpack_ids(packed) if packed else ())
        reading = None
        try:
            reading = read_family(
                family,
                self._known,
                own_ids=self._own.ids,
                own_folders=self._own_folders,
            )
            if len(names) > 1 and not _has_all(reading, released):
                self._restore_ids(released, reading)
                return False
            records = self._examine(reading)
            is_poorer = self._is_poorer(reading, state, names)
            if not is_poorer:
                self._store(reading, records, state, names)
        except Exception as error:  # one odd transcript must not hide all others
            if isinstance(error, InfrastructureError) and not isinstance(error, RefusedValueError):
                raise
            self._report(family.key, f"{type(error).__name__}: {error}")
            self._restore_ids(released, reading)
            return True
        self._count(reading, records, state)
        if is_poorer:
            self._restore_ids(released, reading)
            self._touch(reading, state)
        return True

    def _examine(self, reading: FamilyReading) -> list[SessionRecord]:
        records = []
        for session in reading.sessions:
            if session.kind is SessionClass.HEADLESS and self._own.is_child(
                session.folder, session.started, session.entrypoint
            ):
                session.kind = SessionClass.OWN
            tasks, occurrences = self._analyze(session)
            project = find_session_project(session.folder)
            records.append(build_record(session, tasks, occurrences, project, self._mask))
        return records

    def _analyze(self, session: Session) -> tuple[Sequence[TaskFacts], list[Occurrence]]:
        """Return tasks and occurrences; none of our own sessions, from which nothing is learned."""
        if session.kind is SessionClass.OWN:
            return (), []
        tasks = self._examine_part(session, count_tasks)
        return tasks, [each for detect in DETECTORS for each in self._examine_part(session, detect)]

    def _examine_part(self, session: Session, examine: Callable[[Session], Iterable[T]]) -> list[T]:
        try:
            return list(examine(session))
        except Exception as error:  # noqa: BLE001 -- the fault of one must not hide the others
            self._report(f"session {session.id}", f"{type(error).__name__}: {error}")
            return []

    def _mask(self, text: str) -> str:
        return self._mask_short(text) if len(text) <= _LONGEST_CACHED else self._masker.mask(text)

    def _is_poorer(self, reading: FamilyReading, state: FamilyState, names: Sequence[str]) -> bool:
        """Return whether a part of the session that was read before is missing now.

        Then what is stored stays. A file that is there, but was rewritten shorter, counts as it is.
        """
        stored = {path for name in names for path in self._files[name]}
        missing = stored - {name_path(path) for path in state.states}
        if not missing and not any(each.problem for each in reading.files):
            return False
        query = "SELECT sum(rows_read) FROM transcripts WHERE family = ?"
        return any(
            reading.rows < int(self._database.fetch_rows(query, (name,))[0][0] or 0)
            for name in names
        )

    def _store(
        self,
        reading: FamilyReading,
        records: Sequence[SessionRecord],
        state: FamilyState,
        names: Sequence[str],
    ) -> None:
        stored = {}
        with self._database.transaction() as database:
            for name in names:
                write_sessions(database, name, records if name == state.name else ())
                database.write("DELETE FROM transcripts WHERE family = ?", (name,))
            for each in reading.files:
                if (seen := state.states.get(each.path)) and each.is_done:
                    packed = _write_watermark(database, state, each, seen)
                    stored[name_path(each.path)] = packed
        self._ids.update(stored)

    def _touch(self, reading: FamilyReading, state: FamilyState) -> None:
        """Record that the files that are left were seen, so that they are not read again."""
        with self._database.transaction() as database:
            for path in (each.path for each in reading.files if each.is_done):
                if (seen := state.states.get(path)) is None:
                    continue
                changed = database.write(
                    "UPDATE transcripts SET inode = ?, size = ?, modified = ?, reader = ?"
                    " WHERE path = ?",
                    (*seen, READER_VERSION, name_path(path)),
                )
                if not changed:  # it is new: nothing of it is stored
                    _write_watermark(database, state, FileReading(path, 0, 0, ()), seen)

    def _restore_ids(self, released: Mapping[str, bytes], reading: FamilyReading | None) -> None:
        """Let the ids count that counted before the family was read, and no other."""
        for each in reading.files if reading else ():
            self._known.release(each.ids)
        for path, packed in released.items():
            if packed:
                self._ids[path] = packed
                self._known.add(unpack_ids(packed))

    def _count(
        self, reading: FamilyReading, records: Sequence[SessionRecord], state: FamilyState
    ) -> None:
        count = self.count
        count.read += 1
        count.rows += reading.rows
        count.unreadable += reading.unreadable
        count.sessions.update(record.kind.value for record in records)
        if reading.untimed:
            self._report(reading.family.key, "there is no time in its rows, so it is not listed")
        for each in reading.files:
            if each.problem and each.path in state.states:
                self._report(str(each.path), each.problem)

    def _report(self, location: str, reason: str) -> None:
        shown = " ".join(self._masker.mask(reason[:2_000]).split())
        self.count.problems.append(ScanProblem(location, shown[:300]))


def _has_all(reading: FamilyReading, released: Mapping[str, bytes]) -> bool:
    """Return whether all rows and answers are there that counted for some files."""
    found = {identifier for file in reading.files for identifier in file.ids}
    return all(found.issuperset(unpack_ids(packed)) for packed in released.values() if packed)


def _load_ids(database: Database) -> tuple[KnownIds, dict[str, bytes]]:
    """Return all ids that count for a file, also for one that is gone, and those of each file."""
    packed = {
        path: bytes(ids) for path, ids in database.fetch_rows("SELECT path, ids FROM transcripts")
    }
    known = KnownIds()
    with database.explain_damage():
        for ids in packed.values():
            known.add(unpack_ids(ids))
    return known, packed


def _find_last_times(states: Iterable[FamilyState]) -> dict[str, float]:
    """Return when each session was written last, by the name of its main file."""
    return {
        each.family.name: max(state.modified for state in each.states.values())
        for each in states
        if each.states
    }


def _write_watermark(
    database: Database, state: FamilyState, file: FileReading, seen: FileState
) -> bytes:
    packed = pack_ids(file.ids)
    database.write("DELETE FROM transcripts WHERE path = ?", (name_path(file.path),))
    database.write(
        "INSERT INTO transcripts (path, family, home, inode, size, modified, rows_read,"
        " unreadable, ids, reader) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            name_path(file.path),
            state.name,
            name_path(state.family.home),
            *seen,
            file.rows,
            file.unreadable,
            packed,
            READER_VERSION,
        ),
    )
    return packed
