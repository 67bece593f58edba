"""Read the rows of a transcript in bounded memory, and count what cannot be read."""

import contextlib
import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.sessions.reading.plain_files import BUFFER, open_plain_file
from orchestrator.sessions.reading.row_recovery import recover_rows
from orchestrator.sessions.reading.rows import BROKEN, Row, decode_row

LONGEST_ROW: Final = 16 << 20
"""Bytes; a longer row is skipped, and counted as unreadable."""

_LARGE: Final = 3000
"""Bytes; below that, to look for a part that may be left out takes longer than to decode it."""
_COPY: Final = b',"toolUseResult":'
_BEHIND_COPY: Final = b',"sourceToolAssistantUUID":'
_DENIAL: Final = b',"toolDenialKind":'
_TAIL: Final = 1000
_OPENINGS: Final = (b"{", b"[")
_FIRST: Final = 64

_TYPE_FIRST: Final = b'{"type":"'
_IGNORED: Final = (
    b'{"type":"file-history-snapshot"',
    b'{"type":"api-request',
    b'{"type":"queue-operation"',
    b'{"type":"last-prompt"',
    b'{"type":"tools-used"',
)
"""Starts of rows that hold copies, or nothing of interest."""


class RowReader:
    """The rows of one file, read in bounded memory, and the numbers of what could not be read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._first = b""
        self.rows = 0
        self.unreadable = 0
        self.is_foreign = False
        """Whether the file is of another program: JSON over several lines."""

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows in order.

        Raises:
            OSError: the file cannot be read, or is a pipe or another special file.
        """
        decode, ignored, rows = decode_row, _IGNORED, 0
        with open_plain_file(self._path) as file:
            left = os.fstat(file.fileno()).st_size
            for line in iter(functools.partial(file.readline, LONGEST_ROW), b""):
                if left <= 0:  # what was appended since is left for the next time
                    break
                left -= len(line)
                if line.startswith(_TYPE_FIRST) and line.startswith(ignored) and _is_single(line):
                    rows += 1
                    continue
                try:
                    row = decode(line) if len(line) < _LARGE else _decode_large(line)
                except BROKEN:
                    if line.endswith(b"\n"):
                        yield from self._recover(line)
                        if self.unreadable > 1 and not rows and self._is_of_another_program():
                            break
                    elif len(line) < LONGEST_ROW:  # it is still being written
                        break
                    else:
                        left -= self._skip_line(file)
                else:
                    # Without a line feed too: an object without its end is never valid JSON.
                    rows += 1
                    yield row
            self.rows += rows
        if self._is_of_another_program():
            self.is_foreign, self.unreadable = True, 0

    def _is_of_another_program(self) -> bool:
        return not self.rows and self._first.strip() in _OPENINGS

    def _skip_line(self, file: BinaryIO) -> int:
        """Skip the rest of a line that is too long; return its length."""
        length = 0
        for piece in iter(functools.partial(file.readline, BUFFER), b""):
            length += len(piece)
            if piece.endswith(b"\n"):
                break
        self.unreadable += 1
        return length

    def _recover(self, line: bytes) -> Iterator[Row]:
        if not self._first:
            self._first = line[:_FIRST]
        is_complete = True
        for row in recover_rows(line):
            if row is None:
                is_complete = False
            else:
                self.rows += 1
                yield row
        self.unreadable += not is_complete


def _is_single(line: bytes) -> bool:
    """Return whether a line holds a single object, and a complete one."""
    return line.endswith(b"}\n") and b'}{"' not in line


def _decode_large(line: bytes) -> Row:
    """Decode a row without `toolUseResult`, which repeats the result that the message holds.

    That is half of all bytes. In a text the quotes of these marks are escaped, so that they are
    keys wherever they are found; should they belong to different objects, the rest is not valid.
    """
    start = line.find(_COPY)
    if start > 0:
        tail = len(line) - _TAIL
        end = line.rfind(_BEHIND_COPY, tail)
        if end > start and line.find(_DENIAL, tail) < 0:
            with contextlib.suppress(*BROKEN):
                return decode_row(line[:start] + line[end:])
    return decode_row(line)
