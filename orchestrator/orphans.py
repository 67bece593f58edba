"""Ends what a child leaves running, also what cleared its environment and began a new session.

On Linux a process can ask to become the parent of its descendants' orphans (prctl(2),
PR_SET_CHILD_SUBREAPER). Elsewhere only what carries the mark of `process.py` is found.

The system does not say which of our children were started by us and which were adopted. A child is
taken for an orphan if all of this holds:

- it was not our child when the block was entered;
- its session is not ours. `process.py` gives each child a session of its own, and no process can
  join another session, so an orphan is never in ours; what other threads start with plain
  `subprocess` or `multiprocessing` always is;
- `process.py` did not start it, in any thread;
- it does not carry the mark of a child that still runs: another thread's agent may need it.

A child that other code than `process.py` starts in a session of its own cannot be told apart.
"""

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Iterator
from typing import Final

import psutil

from orchestrator import process

_PR_SET_CHILD_SUBREAPER: Final = 36
_SECONDS: Final = 5.0

_adopting: Final = threading.Lock()
_blocks = 0
"""How many blocks are entered, in all threads."""


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
        left = _orphans(own, known)
        if not left:
            return
        for each in left:
            _end(each, found)


def _orphans(own: psutil.Process, known: set[int]) -> list[psutil.Process]:
    children = own.children()
    spared = known | process.started_pids()  # asked after the look, see there
    return [
        each
        for each in children
        if each.pid not in spared
        and not _is_in_our_session(each.pid)
        and not process.belongs_to_live_child(each)
    ]


def _is_in_our_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:
        return True  # gone: nothing to end


def _end(orphan: psutil.Process, found: Orphans) -> None:
    with contextlib.suppress(psutil.Error, OSError):
        for each in (*orphan.children(recursive=True), orphan):
            if each.status() != psutil.STATUS_ZOMBIE:
                found.ended.append(" ".join(each.cmdline())[:200] or each.name())
            each.kill()
        orphan.wait(1.0)


def _adopt(*, on: bool) -> bool:
    """Ask the system to make us the parent of orphans, until the last block is left.

    Returns:
        Whether it does.
    """
    global _blocks  # noqa: PLW0603 - the system knows one answer for all threads
    if sys.platform != "linux":
        return False
    with _adopting:
        _blocks += 1 if on else -1
        wanted = _blocks > 0
        done = _ask(on=wanted)
        if on and not done:
            _blocks -= 1
        return done


def _ask(*, on: bool) -> bool:
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
