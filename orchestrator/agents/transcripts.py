"""Read the rows of a transcript, a file of one JSON object per line, in bounded time and memory.

The agent can write to its own transcript, and Claude Code may still append to it.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

LONGEST_ROW: Final = 16 << 20
"""Bytes; a longer row is yielded in pieces, none of which is valid JSON."""
MOST_BYTES: Final = 1 << 30
"""Bytes that are read of one transcript: about a second. What was sent at the start is before."""


def iter_rows(transcript: Path) -> Iterator[bytes]:
    """Yield the rows that a transcript has now; none if it is missing, or not a file.

    Raises:
        OSError: it cannot be read.
    """
    # Without waiting: opening a pipe would block until somebody writes to it.
    descriptor = os.open(transcript, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            return
        left = min(found.st_size, MOST_BYTES)
        while left > 0 and (row := file.readline(min(LONGEST_ROW, left))):
            left -= len(row)
            yield row
