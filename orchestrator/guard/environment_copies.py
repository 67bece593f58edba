"""Stores copies of the environment's small files, and restores them."""

import contextlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from orchestrator.guard.copy_store import CopyStore, compute_digest
from orchestrator.platform import files

_LARGEST_COPY: Final = 1_000_000
_LARGEST_DIGEST: Final = 400_000
_LINK: Final = b"link to "


def record_copies(paths: Iterable[str], folder: Path) -> dict[str, str]:
    """Store copies of small files, and return their digests by path.

    Args:
        paths: the files' paths; files that cannot be read, or are large, are left out.
        folder: where the copies are stored.

    Raises:
        OSError: a copy cannot be written.
    """
    copies = CopyStore(folder)
    read = ((path, _read_content(path, _LARGEST_COPY)) for path in paths)
    return {path: copies.write_copy(data) for path, data in read if data is not None}


def digest_file(path: str, largest: int = _LARGEST_DIGEST) -> str:
    """Return the digest of a file, or of a link's target.

    Returns:
        An empty string if the file is missing, or larger than `largest` bytes.
    """
    data = _read_content(path, largest)
    return compute_digest(data) if data is not None else ""


class EnvironmentCopies:
    """The copies of the environment's files in one run.

    Args:
        digests: the digests of the copies, by path.
        folder: where the copies are stored.
        aside: where replaced files are moved to.
    """

    def __init__(self, digests: Mapping[str, str], folder: Path, aside: Path) -> None:
        self._digests, self._copies, self._aside = digests, CopyStore(folder), aside

    def is_unchanged(self, path: str) -> bool:
        """Return whether a file's content is that of its copy."""
        known = self._digests.get(path)
        return known is not None and digest_file(path, _LARGEST_COPY) == known

    def restore_file(self, path: str) -> bool:
        """Restore a file from its copy; return whether there is one.

        Raises:
            OSError: it cannot be written.
        """
        data = self._copies.read_copy(self._digests.get(path, ""))
        if data is None:
            return False
        self.move_aside(path)
        if data.startswith(_LINK):
            Path(path).symlink_to(os.fsdecode(data.removeprefix(_LINK)))
        else:
            mode = 0o755 if data[:2] == b"#!" else 0o644
            files.write_file(Path(path), data, mode, alone=True)
        return True

    def move_aside(self, path: str) -> None:
        """Move a file to the folder for replaced files.

        Raises:
            OSError: it cannot be moved.
        """
        target = self._aside / "environment" / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if os.path.lexists(path):
            target.unlink(missing_ok=True)
            shutil.move(path, target)


def _read_content(path: str, largest: int) -> bytes | None:
    """Return a file's content, or a link's target; None if it is missing or too large."""
    with contextlib.suppress(OSError):
        if files.is_link(path):
            return _LINK + os.fsencode(Path(path).readlink())
        if os.lstat(path).st_size <= largest:
            return files.read_whole_file(path)
    return None
