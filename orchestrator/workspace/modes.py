"""Modes of the files and folders that a restore replaces or removes, for when they come back.

git knows of a file only whether it is executable, and of a folder nothing. What a person or an
attempt made private must not come back readable for everybody.
"""

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

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
