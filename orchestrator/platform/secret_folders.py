"""Temporary folders for files with secrets, which are removed even if this process is killed.

The folder's name begins with the mark of the process, by which the process that watches it
(`parent_watch`) finds what is left of it.
"""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.platform.liveness import mark_process

_MEMORY: Final = Path("/dev/shm")  # noqa: S108 -- mkdtemp makes a private folder in it


@contextlib.contextmanager
def create_secret_folder() -> Iterator[Path]:
    """Create an empty folder that only this user can enter, and remove it with all that is in it.

    It is in memory where possible: if the watching process is killed, too, nothing is on disk.

    Raises:
        OSError: it cannot be created.
    """
    parent = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    # A program that was ended may still be writing: the watch removes what is left then.
    with tempfile.TemporaryDirectory(
        prefix=f"{mark_process().text}-", dir=parent, ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


def remove_secret_folders(mark: str) -> None:
    """Remove the folders that a killed process has left, as far as possible.

    Args:
        mark: the text of its mark, see `liveness.ProcessMark`.
    """
    for parent in (_MEMORY, Path(tempfile.gettempdir())):
        for folder in parent.glob(f"{mark}-*"):
            shutil.rmtree(folder, ignore_errors=True)
