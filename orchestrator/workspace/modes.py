"""Modes of the files and folders that a restore or an attempt may remove, for when they come back.

git knows of a file only whether it is executable, and of a folder nothing. What a person or an
attempt made private must not come back readable for everybody.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from orchestrator.platform import files

USUAL_FOLDER: Final = b"/"
USUAL_FILE: Final = b""
"""Stand among paths for what has the mode that the umask left when a tree was made."""


@dataclass(frozen=True)
class Modes:
    """Modes of paths, kept beside the trees that these paths belong to.

    Args:
        project: the project's folder.
        folder: keeps a note for each tree.
    """

    project: Path
    folder: Path

    def record_paths(self, tree: str, paths: Iterable[bytes]) -> None:
        """Write down the modes of some paths as they are now; of links there is none.

        Raises:
            OSError: it cannot be written.
        """
        found = {path: stat.S_IMODE(mode) for path, mode in self._iter_modes(paths)}
        if modes := self.read_modes(tree) | found:
            self.write_modes(tree, modes)

    def record_tree(self, tree: str, paths: Sequence[bytes]) -> None:
        """Write down which files of a tree, and folders above them, have no usual mode now.

        Args:
            tree: its id; what was remembered of it before is forgotten.
            paths: all files and links in it.

        Raises:
            OSError: it cannot be written.
        """
        folder, file = self._find_usual_modes()
        usual = {folder, file, file | compute_execute_bits(file)}
        folders = {path.rpartition(b"/")[0] for path in paths} - {b""}
        folders |= {above for folder in folders for above in iter_parents(folder)}
        looks = self._iter_modes((*paths, *folders))
        modes = {path: stat.S_IMODE(mode) for path, mode in looks if mode not in usual}
        # Who restores them may have another umask.
        modes |= {USUAL_FOLDER: stat.S_IMODE(folder), USUAL_FILE: stat.S_IMODE(file)}
        self.write_modes(tree, modes)

    def find_closed_folders(
        self, folders: Sequence[bytes], remembered: Mapping[bytes, int]
    ) -> dict[bytes, int]:
        """Return the modes of folders, there or to come, that their owner may not list and write.

        Args:
            folders: folders of the project.
            remembered: modes of those that are to come.
        """
        looks = self._iter_modes(folders)
        there = {path: stat.S_IMODE(mode) for path, mode in looks if stat.S_ISDIR(mode)}
        modes = {**remembered, **there}
        known = {folder: modes[folder] for folder in folders if folder in modes}
        return {folder: mode for folder, mode in known.items() if ~mode & stat.S_IRWXU}

    def forget_tree(self, tree: str) -> None:
        """Remove what was remembered of a tree's paths."""
        (self.folder / tree).unlink(missing_ok=True)

    def _iter_modes(self, paths: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """Yield type and mode of what is at some paths; of links there is none."""
        project = os.fsencode(self.project) + b"/"
        for path in paths:
            try:
                mode = os.lstat(project + path).st_mode
            except OSError:  # not there any more, or not to be seen
                continue
            if not stat.S_ISLNK(mode):
                yield path, mode

    def write_modes(self, tree: str, modes: Mapping[bytes, int]) -> None:
        """Replace what is remembered of a tree's paths.

        Raises:
            OSError: it cannot be written.
        """
        data = b"".join(b"%o %s\0" % (mode, path) for path, mode in modes.items())
        files.write_file(self.folder / tree, data)

    def _find_usual_modes(self) -> tuple[int, int]:
        """Return types and modes of a folder and a file that are made without asking for a mode."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder) as scratch:
            folder, file = Path(scratch, "folder"), Path(scratch, "file")
            folder.mkdir()
            file.touch()
            return folder.stat().st_mode, file.stat().st_mode

    def read_modes(self, tree: str) -> dict[bytes, int]:
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


def compute_execute_bits(mode: int) -> int:
    """Return the bits that let those execute a file who may read it, as git sets them."""
    return (mode & 0o444) >> 2


def iter_parents(path: bytes) -> Iterator[bytes]:
    """Yield the folders above a path, the nearest first."""
    while path := path.rpartition(b"/")[0]:
        yield path
