"""Ends what a child leaves running, also what cleared its environment and began a new session.

On Linux a process can ask to become the parent of its descendants' orphans (prctl(2),
PR_SET_CHILD_SUBREAPER). Elsewhere only what carries the mark of `process.py` is found.
"""

import contextlib
import ctypes
import sys
import time
from collections.abc import Iterator
from typing import Final

import psutil

from orchestrator import process

_PR_SET_CHILD_SUBREAPER: Final = 36
_SECONDS: Final = 5.0


class Orphans:
    """The processes that were ended, by their command."""

    def __init__(self) -> None:
        self.ended: list[str] = []


@contextlib.contextmanager
def ending_orphans() -> Iterator[Orphans]:
    """End, when the block is left, every process that was begun in it and lost its parent."""
    found = Orphans()
    if not _adopt(on=True):
        yield found
        return
    own = psutil.Process()
    known = {each.pid for each in own.children()}
    try:
        yield found
    finally:
        _end_all(own, known, found)
        _adopt(on=False)


def _end_all(own: psutil.Process, known: set[int], found: Orphans) -> None:
    """End orphans until none is left: one that is ended may leave children of its own."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        left = [each for each in own.children() if each.pid not in known | process.live_pids()]
        if not left:
            return
        for each in left:
            _end(each, found)


def _end(orphan: psutil.Process, found: Orphans) -> None:
    with contextlib.suppress(psutil.Error, OSError):
        for each in (*orphan.children(recursive=True), orphan):
            if each.status() != psutil.STATUS_ZOMBIE:
                found.ended.append(" ".join(each.cmdline())[:200] or each.name())
            each.kill()
        orphan.wait(1.0)


def _adopt(*, on: bool) -> bool:
    """Ask the system to make us the parent of orphans, or not any more; say whether it does."""
    if sys.platform != "linux":
        return False
    try:
        library = ctypes.CDLL(None, use_errno=True)
        return int(library.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def describe(orphans: Orphans) -> str:
    """Return in one line what was ended; empty if nothing was."""
    if not orphans.ended:
        return ""
    count = len(orphans.ended)
    return f"ended {count} process{'es' if count > 1 else ''} left running: {orphans.ended[0]}"
