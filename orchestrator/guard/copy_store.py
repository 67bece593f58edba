"""Stores copies of files, compressed, each named by the digest of its content.

The digest is checked before a copy is given out: what an agent may have written is never taken for
what was there before.

Runs of one project keep the same files of the same environment. A copy that a run before this one
has is linked and takes no space; whichever of the two folders is removed, the other keeps it.
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
"""Runs before this one whose copies are looked at."""


class CopyStore:
    """The copies of one run: of guarded files, and of the environment's small ones.

    Args:
        folder: the guard's, in the folder of its run, which lies beside those of other runs. The
            copies have a folder of their own in it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"

    def make_folder(self) -> None:
        """Make the folder, which nobody else may look into.

        Raises:
            OSError: it cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write_copy(self, data: bytes) -> str:
        """Keep some bytes, and return the digest under which they are found again.

        Raises:
            OSError: they cannot be written.
        """
        digest = compute_digest(data)
        if not files.exists(self.folder / digest) and not self._link_earlier_copy(digest, data):
            files.write_file(self.folder / digest, zlib.compress(data, _FAST))
        return digest

    def read_copy(self, digest: str) -> bytes | None:
        """Return what was kept; None if the copy is gone, or is another than was kept."""
        with contextlib.suppress(OSError, zlib.error):
            data = zlib.decompress((self.folder / digest).read_bytes()) if digest else None
            if data is not None and compute_digest(data) == digest:
                return data
        return None

    def _link_earlier_copy(self, digest: str, data: bytes) -> bool:
        """Link the copy of an earlier run; return whether there was one."""
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
    """Return the digest by which a copy of some bytes is called."""
    return hashlib.sha256(data).hexdigest()
