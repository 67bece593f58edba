"""Read outputs of tools that are too large for a transcript, and stand in files beside it."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from orchestrator.sessions.reading.plain_files import open_plain_file

MARK: Final = "<persisted-output>"
FOLDER: Final = "tool-results"
"""Below the folder of the session, which has the name of its transcript without the suffix."""

MOST_BYTES: Final = 1 << 20
"""Of a longer output, the beginning and the end are read, half of this each."""

_HEAD: Final = 1000
_SAVED: Final = re.compile(r"saved to: [^\n]*?([^/\\\n]+)$", re.MULTILINE)


def read_large_output(text: str, folders: Iterable[Path]) -> str:
    """Return the output that a result refers to; the result itself if the file is gone.

    Only the name of the file is taken from the text, and only files in the session's own folder
    are read: the text may come from anywhere.

    Args:
        text: the text of a result that begins with `MARK`.
        folders: where the sessions' folders may be.
    """
    found = _SAVED.search(text[:_HEAD])
    if found is None:
        return text
    name = found.group(1).strip()
    for folder in folders:
        output = _read_bounded(folder / FOLDER / name)
        if output is not None:
            return output
    return text


def _read_bounded(path: Path) -> str | None:
    """Return the text of a file; None if it is missing, no plain file, or may not be read."""
    try:
        with open_plain_file(path, os.O_NOFOLLOW) as file:
            size = os.fstat(file.fileno()).st_size
            start = file.read(MOST_BYTES if size <= MOST_BYTES else MOST_BYTES // 2)
            if size <= MOST_BYTES:
                return start.decode("utf-8", "replace")
            file.seek(-(MOST_BYTES // 2), os.SEEK_END)
            end = file.read(MOST_BYTES // 2)
    except (OSError, ValueError):
        return None
    left_out = f"\n... ({size - MOST_BYTES:,} bytes left out) ...\n"
    return start.decode("utf-8", "replace") + left_out + end.decode("utf-8", "replace")
