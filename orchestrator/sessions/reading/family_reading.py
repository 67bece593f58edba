"""Build the sessions of a family of transcripts: one pass over the rows of its files, in order."""

import contextlib
import gc
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.platform import files
from orchestrator.sessions.models import Session
from orchestrator.sessions.reading.building import SessionBuilder
from orchestrator.sessions.reading.classes import is_own_id
from orchestrator.sessions.reading.deduplication import KnownIds
from orchestrator.sessions.reading.files import AGENT_PREFIX, SUFFIX, Family
from orchestrator.sessions.reading.row_reading import RowReader
from orchestrator.sessions.reading.rows import unfold_row


@dataclass(frozen=True)
class FileReading:
    """What was found in one file."""

    path: Path
    rows: int
    unreadable: int
    """Rows that could not be read, at least in part."""
    ids: tuple[str, ...]
    """The ids of rows and answers that count for this file."""
    problem: str = ""
    """Why the file could not be read to its end; empty if it could."""
    is_foreign: bool = False
    """Whether it is of another program."""

    @property
    def is_done(self) -> bool:
        """Whether there is no reason to read the file again before it changes."""
        return self.is_foreign or not self.problem


@dataclass(frozen=True)
class FamilyReading:
    """What was found in a family of files."""

    family: Family
    sessions: list[Session]
    """In the order in which they begin in the files."""
    files: tuple[FileReading, ...]
    untimed: int
    """The number of sessions that are left out since no row of them has a time."""

    @property
    def rows(self) -> int:
        """The number of rows, copies included."""
        return sum(each.rows for each in self.files)

    @property
    def unreadable(self) -> int:
        """The number of rows that could not be read."""
        return sum(each.unreadable for each in self.files)


def read_family(
    family: Family,
    known: KnownIds,
    *,
    with_text: bool = False,
    with_copies: bool = False,
    own_ids: Set[str] = frozenset(),
    own_folders: Sequence[Path] = (),
) -> FamilyReading:
    """Return the sessions of a family; rows that are known from other files are left out.

    A file that has vanished, or may not be read, is described in its `FileReading`.

    Args:
        family: the files.
        known: the ids that count for other files; those of this family are added.
        with_text: whether to keep what the model said.
        with_copies: whether a fork has what it has copied too, although that counts for the
            original: to show it.
        own_ids: see `classes.classify_session`.
        own_folders: see `classes.classify_session`.
    """

    @cache
    def is_own(identifier: str) -> bool:
        return not with_copies and is_own_id(identifier, own_ids)

    def read() -> tuple[FamilyReading, list[Path]]:
        builder = SessionBuilder(family, known, is_own, with_text=with_text)
        return _read_files(builder, family, own_ids, own_folders)

    reading, origins = read()
    if with_copies or not origins:
        return reading
    # A fork says so only in the midst of its rows: what it has copied counts for the original,
    # also if the fork is read first.
    for file in reading.files:
        known.release(file.ids)
    copied = known.add(_list_ids(origins))
    reading, _ = read()
    known.release(copied)
    return reading


def _read_files(
    builder: SessionBuilder, family: Family, own_ids: Set[str], own_folders: Sequence[Path]
) -> tuple[FamilyReading, list[Path]]:
    """Return what is in the files, and the transcripts of which they hold copies."""
    with _pause_collection():
        readings = tuple(_read_file(path, builder) for path in family.files)
        sessions = builder.build_sessions(own_ids, own_folders)
    folder = Path(family.key).parent
    names = sorted({Path(name).name for name in builder.origins} - {family.name, ""})
    paths = [folder / f"{name}{SUFFIX}" for name in names]
    reading = FamilyReading(family, sessions, readings, builder.untimed)
    return reading, list(filter(files.is_file, paths))


@contextlib.contextmanager
def _pause_collection() -> Iterator[None]:
    """Collect no cyclic garbage: rows make no cycles, and to look for some takes a tenth."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _list_ids(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the ids of rows and answers in transcripts."""
    for path in paths:
        with contextlib.suppress(OSError):
            for row in RowReader(path):
                if row.data is not None and row.data.message is not None:
                    unfold_row(row, row.data.agentId, row.data.message)
                yield row.uuid
                if row.message is not None and row.message.id:
                    yield row.message.id


def _read_file(path: Path, builder: SessionBuilder) -> FileReading:
    stem = path.stem
    agent = stem.removeprefix(AGENT_PREFIX) if stem.startswith(AGENT_PREFIX) else ""
    reader = RowReader(path)
    problem = ""
    ids = builder.open_file(agent)
    take_row = builder.take_row
    try:
        for row in reader:
            take_row(row)
    except OSError as error:
        problem = error.strerror or str(error)
    if reader.is_foreign:
        problem = "is no transcript of Claude Code"
    numbers = (reader.rows, reader.unreadable)
    return FileReading(path, *numbers, tuple(ids), problem, reader.is_foreign)
