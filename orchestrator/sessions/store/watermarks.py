"""Remember in which state each transcript was read, so that only what has changed is opened again.

A transcript with the inode, size and time of its watermark has not changed. If one file of a
session has changed, all its files are read again, from their start: what is found in a session
depends on all of it. So there is no position to go on from, and no need to recognize by its first
bytes a file that was rewritten and not appended to.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from orchestrator.storage.database import Database, normalize_text

if TYPE_CHECKING:
    from orchestrator.sessions.reading.files import Family

READER_VERSION: Final = "3"
"""Increased whenever the reader, a detector or the counting of tasks changes what is stored: then
everything is read again."""
_LARGEST: Final = (1 << 63) - 1


class FileState(NamedTuple):
    """By which a change of a file is recognized."""

    inode: int
    size: int
    modified: float


class Watermark(NamedTuple):
    """What is stored of a file that was read."""

    family: str
    home: str
    state: FileState
    reader: str


@dataclass(frozen=True)
class FamilyState:
    """The files of a session as they are now."""

    family: "Family"
    name: str
    """The family's name as it is stored: the path of the main file."""
    states: Mapping[Path, FileState]
    """Without those that have vanished since they were listed."""

    @property
    def is_gone(self) -> bool:
        """Whether all its files have vanished."""
        return not self.states

    def is_unchanged(self, watermarks: Mapping[str, Watermark]) -> bool:
        """Return whether each file is as it was read."""
        for path, state in self.states.items():
            mark = watermarks.get(name_path(path))
            if mark is None or mark.state != state or mark.reader != READER_VERSION:
                return False
        return True


def name_path(path: Path) -> str:
    """Return a path as it is stored; it may hold bytes that are not UTF-8."""
    return normalize_text(str(path))


def load_watermarks(database: Database) -> dict[str, Watermark]:
    """Return all watermarks, by path."""
    rows = database.fetch_rows(
        "SELECT path, family, home, inode, size, modified, reader FROM transcripts"
    )
    return {
        path: Watermark(family, home, FileState(inode, size, modified), reader)
        for path, family, home, inode, size, modified, reader in rows
    }


def examine_family(family: "Family") -> FamilyState:
    """Return the states of the files of a family; nothing is opened."""
    found = {}
    for path in family.files:
        try:
            status = os.lstat(path)
        except (OSError, ValueError):
            continue  # it has vanished since, or the reader says why it cannot be read
        if stat.S_ISREG(status.st_mode):
            found[path] = FileState(status.st_ino & _LARGEST, status.st_size, status.st_mtime)
    return FamilyState(family, normalize_text(family.key), found)
