"""Copies of files, packed, each named by the digest of what it holds.

The digest is checked before a copy is given out: what an agent may have written is never taken for
what was there before.
"""

import contextlib
import hashlib
import zlib
from pathlib import Path
from typing import Final

from orchestrator import files

_FAST: Final = 1


class Copies:
    """The copies of one run: of guarded files, and of the environment's small ones.

    Args:
        folder: the guard's, in which the copies have a folder of their own.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"

    def make_folder(self) -> None:
        """Make the folder, which nobody else may look into.

        Raises:
            OSError: it cannot be made.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def keep(self, data: bytes) -> str:
        """Keep some bytes, and return the digest under which they are found again.

        Raises:
            OSError: they cannot be written.
        """
        digest = digest_of(data)
        if not files.exists(self.folder / digest):
            files.write_file(self.folder / digest, zlib.compress(data, _FAST))
        return digest

    def read(self, digest: str) -> bytes | None:
        """Return what was kept; None if the copy is gone, or is another than was kept."""
        with contextlib.suppress(OSError, zlib.error):
            data = zlib.decompress((self.folder / digest).read_bytes()) if digest else None
            if data is not None and digest_of(data) == digest:
                return data
        return None


def digest_of(data: bytes) -> str:
    """Return the digest by which a copy of some bytes is called."""
    return hashlib.sha256(data).hexdigest()
