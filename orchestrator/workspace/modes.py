"""Remember the modes of files and folders, so that a restore can set them again.

git records whether a file is executable, and nothing about folders. A file that a person or an
attempt made private must not be readable for everybody after a restore.
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
"""Pseudo-paths for the modes of new folders and files, under the umask of the time."""


@dataclass(frozen=True)
class Modes:
    """Modes of paths, stored per tree.

    Args:
        project: the project's folder.
        folder: holds one file for each tree.
    """

    project: Path
    folder: Path

    def record_paths(self, tree: str, paths: Iterable[bytes]) -> None:
        """Add the current modes of some paths to a tree's; links have none.

        Raises:
            OSError: the file cannot be written.
        """
        found = {path: stat.S_IMODE(mode) for path, mode in self._iter_modes(paths)}
        if modes := self.read_modes(tree) | found:
            self.write_modes(tree, modes)

    def record_tree(self, tree: str, paths: Sequence[bytes]) -> None:
        """Store the modes of a tree's files, and of their folders, that differ from the usual.

        Args:
            tree: the tree's id; modes stored for it before are replaced.
            paths: all files and links of the tree.

        Raises:
            OSError: the file cannot be written.
        """
        folder, file = self._find_usual_modes()
        usual = {folder, file, file | compute_execute_bits(file)}
        folders = {path.rpartition(b"/")[0] for path in paths} - {b""}
        folders |= {above for folder in folders for above in iter_parents(folder)}
        looks = self._iter_modes((*paths, *folders))
        modes = {path: stat.S_IMODE(mode) for path, mode in looks if mode not in usual}
        # The process that restores them may have another umask.
        modes |= {USUAL_FOLDER: stat.S_IMODE(folder), USUAL_FILE: stat.S_IMODE(file)}
        self.write_modes(tree, modes)

    def find_closed_folders(
        self, folders: Sequence[bytes], remembered: Mapping[bytes, int]
    ) -> dict[bytes, int]:
        """Return the modes of those folders whose owner may not read, write or enter them.

        Args:
            folders: folders of the project.
            remembered: modes of folders that do not exist yet.
        """
        looks = self._iter_modes(folders)
        existing = {path: stat.S_IMODE(mode) for path, mode in looks if stat.S_ISDIR(mode)}
        modes = {**remembered, **existing}
        known = {folder: modes[folder] for folder in folders if folder in modes}
        return {folder: mode for folder, mode in known.items() if ~mode & stat.S_IRWXU}

    def forget_tree(self, tree: str) -> None:
        """Remove the stored modes of a tree."""
        (self.folder / tree).unlink(missing_ok=True)

    def _iter_modes(self, paths: Iterable[bytes]) -> Iterator[tuple[bytes, int]]:
        """Yield the type and mode of each path that exists and is no link."""
        project = os.fsencode(self.project) + b"/"
        for path in paths:
            try:
                mode = os.lstat(project + path).st_mode
            except OSError:  # deleted by now, or in a folder that is closed
                continue
            if not stat.S_ISLNK(mode):
                yield path, mode

    def write_modes(self, tree: str, modes: Mapping[bytes, int]) -> None:
        """Replace the stored modes of a tree.

        Raises:
            OSError: the file cannot be written.
        """
        data = b"".join(b"%o %s\0" % (mode, path) for path, mode in modes.items())
        files.write_file(self.folder / tree, data)

    def _find_usual_modes(self) -> tuple[int, int]:
        """Return type and mode of a folder and a file that are created with the current umask."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=self.folder) as scratch:
            folder, file = Path(scratch, "folder"), Path(scratch, "file")
            folder.mkdir()
            file.touch()
            return folder.stat().st_mode, file.stat().st_mode

    def read_modes(self, tree: str) -> dict[bytes, int]:
        """Return the stored modes of a tree, by path; empty if there are none.

        Raises:
            OSError: the file cannot be read.
        """
        try:
            records = (self.folder / tree).read_bytes().split(b"\0")[:-1]
        except FileNotFoundError:
            return {}
        pairs = (record.split(b" ", 1) for record in records)
        return {path: int(mode, 8) for mode, path in pairs}


def compute_execute_bits(mode: int) -> int:
    """Return execute bits for everybody who may read a file, as git sets them."""
    return (mode & 0o444) >> 2


def iter_parents(path: bytes) -> Iterator[bytes]:
    """Yield the folders above a path, the nearest first."""
    while path := path.rpartition(b"/")[0]:
        yield path
