"""Stores copies of files, compressed, each named by the digest of its content.

The digest is checked whenever a copy is read: content that an agent may have written never passes
for the original.

Runs of one project store the same files of the same environment. A copy that an earlier run has is
hard-linked and takes no space; when either folder is removed, the other still has the copy.
"""

import contextlib
import hashlib
import zlib
from functools import cached_property
from pathlib import Path
from typing import Final

from orchestrator.platform import atomic, files

_FAST: Final = 1
_RUNS: Final = 3
"""Number of earlier runs whose copies are searched."""


class CopyStore:
    """The copies of one run: guarded files, and small files of the environment.

    Args:
        folder: the guard's folder, in the folder of its run, which is beside those of other runs.
            The copies are in the subfolder `files`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"

    def make_folder(self) -> None:
        """Make the folder, readable by this user only.

        Raises:
            OSError: it cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write_copy(self, data: bytes) -> str:
        """Store bytes, and return the digest for `read_copy`.

        Raises:
            OSError: they cannot be written.
        """
        digest = compute_digest(data)
        if not files.exists(self.folder / digest) and not self._link_earlier_copy(digest, data):
            files.write_file(self.folder / digest, zlib.compress(data, _FAST))
        return digest

    def read_copy(self, digest: str) -> bytes | None:
        """Return the stored bytes; None if the copy is missing or damaged."""
        with contextlib.suppress(OSError, zlib.error):
            data = zlib.decompress((self.folder / digest).read_bytes()) if digest else None
            if data is not None and compute_digest(data) == digest:
                return data
        return None

    def _link_earlier_copy(self, digest: str, data: bytes) -> bool:
        """Link to the copy of an earlier run; return whether there was one."""
        for earlier in self._earlier_runs:
            if files.exists(earlier.folder / digest) and earlier.read_copy(digest) == data:
                with contextlib.suppress(OSError):
                    self.make_folder()
                    atomic.create_hard_link(earlier.folder / digest, self.folder / digest)
                    return True
        return False

    @cached_property
    def _earlier_runs(self) -> list["CopyStore"]:
        guard = self.folder.parent
        runs = sorted((item.name for item in files.list_folder(guard.parent.parent)), reverse=True)
        others = [name for name in runs if name < guard.parent.name]
        return [CopyStore(guard.parent.parent / name / guard.name) for name in others[:_RUNS]]


def compute_digest(data: bytes) -> str:
    """Return the SHA-256 of some bytes in hexadecimal, which is the name of their copy."""
    return hashlib.sha256(data).hexdigest()
