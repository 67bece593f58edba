"""Open files that another program writes, and that may be anything by now."""

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

BUFFER: Final = 1 << 18
"""Bytes that are read at once: with the usual 8 kB, reading lines takes three times as long."""


@contextlib.contextmanager
def open_plain_file(path: Path, flags: int = 0) -> Iterator[BinaryIO]:
    """Open a file for reading.

    Raises:
        OSError: it cannot be read, or is a pipe, a folder or another special file.
    """
    # Without waiting: opening a pipe would block until somebody writes to it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(None, "is not a plain file")
        file = os.fdopen(descriptor, "rb", buffering=BUFFER, closefd=False)
        with file:
            yield file
    finally:
        os.close(descriptor)
