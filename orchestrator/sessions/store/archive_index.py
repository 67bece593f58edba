"""Record which files of a home are archived, and in which state each was when it was copied.

<archive>/<hash of the home>/index.json              this record
<archive>/<hash of the home>/projects/….jsonl.gz     a copy, at its path in the home
<archive>/<hash of the home>/projects/….jsonl.1.gz   an older copy, of a file that was rewritten

The record saves reading files that have not changed. It is trusted about a file only while the copy
is the one that it describes: a process may be killed after it wrote a copy, and a copy may be
removed. If a record is lost or damaged, everything is read and compared with its copy again.
"""

import json
import stat
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestrator.platform import files
from orchestrator.platform.folders import hash_path
from orchestrator.sessions.reading.homes import PROJECTS

SUFFIX: Final = ".gz"
DAMAGES: Final = (OSError, EOFError, zlib.error)
"""What reading a damaged copy raises."""
_NAME: Final = "index.json"
_LONGEST: Final = 256 << 20


class ArchivedState(NamedTuple):
    """A file as it was when it was copied last."""

    inode: int
    size: int
    modified: int
    """In nanoseconds since 1970."""
    digest: str
    """SHA-256 of its content, in hex."""
    copy_size: int
    """In bytes, compressed."""
    copy_modified: int


@dataclass
class ArchiveIndex:
    """The archived files of one home, by their path in it."""

    folder: Path
    home: Path
    states: dict[str, ArchivedState] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)
    """The files that are in the home now."""

    @cached_property
    def root(self) -> Path:
        """The home's folder of projects, which may be a link to another place."""
        return (self.home / PROJECTS).resolve()

    def name_file(self, path: Path) -> str:
        """Return the name of a file in the archive: its path in the home.

        Raises:
            ValueError: it is not below the home's folder of projects.
        """
        return f"{PROJECTS}/{path.relative_to(self.root).as_posix()}"

    def save(self) -> None:
        """Write the record, whole or not at all.

        Raises:
            OSError: it cannot be written.
        """
        value = {"home": str(self.home), "files": dict(sorted(self.states.items()))}
        data = json.dumps(value, separators=(",", ":")).encode("ascii")
        files.write_file(self.folder / _NAME, data, 0o600, durable=True, alone=True)

    def forget_lost(self) -> None:
        """Forget the files of which neither the original nor a copy is left."""
        for name in set(self.states) - self.seen:
            if not files.exists(self.find_copy(name)):
                del self.states[name]

    def find_copy(self, relative: str) -> Path:
        """Return the path of the latest copy of a file."""
        return self.folder / f"{relative}{SUFFIX}"

    def find_state(self, relative: str) -> ArchivedState | None:
        """Return what its latest copy holds; None if the record describes another copy, or none."""
        state = self.states.get(relative)
        if state is None:
            return None
        try:
            status = self.find_copy(relative).lstat()
        except OSError:
            return None
        is_described = (status.st_size, status.st_mtime_ns) == state[4:]
        return state if is_described and stat.S_ISREG(status.st_mode) else None


def load_index(archive: Path, home: Path) -> ArchiveIndex:
    """Return the record of a home; an empty one if there is none, or it is damaged."""
    folder = archive / hash_path(home)
    index = ArchiveIndex(folder, home)
    try:
        value = json.loads(files.read_bytes(folder / _NAME, _LONGEST))
        index.states = {name: _parse_state(state) for name, state in value["files"].items()}
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        index.states = {}
    return index


def _parse_state(value: Any) -> ArchivedState:  # noqa: ANN401 -- whatever the file holds
    inode, size, modified, digest, copy_size, copy_modified = value
    if not isinstance(digest, str):
        raise TypeError("a digest is a text")
    numbers = map(int, (copy_size, copy_modified))
    return ArchivedState(int(inode), int(size), int(modified), digest, *numbers)


def iter_copies(archive: Path) -> Iterator[Path]:
    """Yield all copies in an archive, and the files that a killed process has left unfinished."""
    for path in files.iter_files(archive):
        if path.endswith(SUFFIX) or "/.new-" in path:
            yield Path(path)
