"""Modes of the files and folders that a restore or an attempt may remove, for when they come back.

git knows of a file only whether it is executable, and of a folder nothing. What a person or an
attempt made private must not come back readable for everybody.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from orchestrator import files


@dataclass(frozen=True)
class Modes:
    """Modes of paths, kept beside the trees that these paths belong to.

    Args:
        project: the project's folder.
        folder: keeps a note for each tree.
    """

    project: Path
    folder: Path

    def remember(self, tree: str, paths: Iterable[bytes]) -> None:
        """Write down the modes of some paths as they are now; of links there is none.

        Raises:
            OSError: it cannot be written.
        """
        modes = self.recall(tree)
        for path in paths:
            with suppress(OSError):  # not there, or not to be seen
                at = (self.project / os.fsdecode(path)).lstat()
                if not stat.S_ISLNK(at.st_mode):
                    modes[path] = stat.S_IMODE(at.st_mode)
        if modes:
            data = b"".join(b"%o %s\0" % (mode, path) for path, mode in modes.items())
            files.write_file(self.folder / tree, data)

    def remember_all(self, tree: str, paths: Sequence[bytes]) -> None:
        """Write down which files of a tree, and folders above them, have no usual mode now.

        Args:
            tree: its id; what was remembered of it before is forgotten.
            paths: all files and links in it.

        Raises:
            OSError: it cannot be written.
        """
        note, project = self.folder / tree, os.fsencode(self.project) + b"/"
        usual = self._find_usual_modes()
        folders = {path.rpartition(b"/")[0] for path in paths}
        folders |= {above for folder in folders for above in _parents(folder)}
        records = []
        for path in (*paths, *folders - {b""}):
            try:
                mode = os.lstat(project + path).st_mode
            except OSError:  # not there any more, or not to be seen
                continue
            if mode not in usual and not stat.S_ISLNK(mode):
                records.append(b"%o %s\0" % (stat.S_IMODE(mode), path))
        if records:
            files.write_file(note, b"".join(records))
        else:
            note.unlink(missing_ok=True)

    def _find_usual_modes(self) -> Set[int]:
        """Return the types and modes of what is made without asking for a mode."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder) as scratch:
            folder, file = Path(scratch, "folder"), Path(scratch, "file")
            folder.mkdir()
            file.touch()
            plain = file.stat().st_mode
            return {folder.stat().st_mode, plain, plain | (plain & 0o444) >> 2}

    def recall(self, tree: str) -> dict[bytes, int]:
        """Return what was remembered of a tree's paths.

        Raises:
            OSError: it cannot be read.
        """
        try:
            records = (self.folder / tree).read_bytes().split(b"\0")[:-1]
        except FileNotFoundError:
            return {}
        pairs = (record.split(b" ", 1) for record in records)
        return {path: int(mode, 8) for mode, path in pairs}


def _parents(path: bytes) -> Iterator[bytes]:
    while path := path.rpartition(b"/")[0]:
        yield path
