"""Keep the archive within its limits: which files have room, and which copies are removed."""

import bisect
import itertools
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.platform import files
from orchestrator.sessions.store.archive_index import SUFFIX, iter_copies


class Space:
    """The space for copies of files that are newer than what is archived already."""

    def __init__(self, copies: Sequence[tuple[float, str, int]], cap_bytes: int) -> None:
        self._times = [at for at, _, _ in copies]
        sizes = [size for _, _, size in copies]
        self._newer = [*itertools.accumulate(reversed(sizes), initial=0)][::-1]
        self._cap, self.used = cap_bytes, 0

    def has_room(self, modified: float, size: int) -> bool:
        """Return whether a copy would not be the first to be removed again.

        Args:
            modified: when its file was changed last.
            size: its bytes; 0 if they are unknown.
        """
        newer = self._newer[bisect.bisect_right(self._times, modified)]
        return newer + self.used + max(size, 1) <= self._cap


def list_copies(folder: Path) -> list[tuple[float, str, int]]:
    """Return time of the last change, path and size of each copy, the oldest first.

    What a killed process has left unfinished is removed.
    """
    found = []
    for path in iter_copies(folder):
        with suppress(FileNotFoundError):
            if not path.name.endswith(SUFFIX):
                path.unlink()
                continue
            status = path.lstat()
            found.append((status.st_mtime, str(path), status.st_size))
    return sorted(found)


def remove_oldest(folder: Path, cap_bytes: int, oldest: float) -> tuple[tuple[str, ...], int, int]:
    """Remove copies that are too old, and the oldest until there is space.

    Returns:
        The removed copies, their bytes, and the bytes of all others.
    """
    copies = list_copies(folder)
    size, removed = sum(each for _, _, each in copies), []
    total = size
    for modified, path, each in copies:
        if modified >= oldest and size <= cap_bytes:
            break
        files.remove_path(Path(path))
        removed.append(path)
        size -= each
    return tuple(removed), total - size, size
