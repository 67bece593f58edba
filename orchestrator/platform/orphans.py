"""Ends what a child leaves running, also what cleared its environment and began a new session.

On Linux a process can ask to become the parent of its descendants' orphans (prctl(2),
PR_SET_CHILD_SUBREAPER). Elsewhere only what carries the mark of `process.py` is found.

The system does not say which of our children were started by us and which were adopted. A child is
taken for an orphan if all of this holds:

- it was not our child when the first block was entered;
- its session is not ours. `process.py` gives each child a session of its own, and no process can
  join another session, so an orphan is never in ours; what other threads start with plain
  `subprocess` or `multiprocessing` always is;
- `process.py` did not start it, in any thread;
- it does not carry the mark of a child that still runs: another thread's agent may need it.

A child that other code than `process.py` starts in a session of its own cannot be told apart.

Where several runs are carried in one process, an orphan is the run's whose mark it carries, and
that run alone ends it. One that has cleared its environment cannot be told to be anybody's. It is
left until the last of the runs that overlap leaves its block, and is ended and named there.
"""

import contextlib
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import psutil

from orchestrator.platform import process
from orchestrator.platform.process import Children

_PR_SET_CHILD_SUBREAPER: Final = 36
_SECONDS: Final = 5.0


class Orphans:
    """The processes that were ended, by their command."""

    def __init__(self) -> None:
        self.commands: list[str] = []


class _Reaper:
    """This process as the parent of orphans: the system knows one answer for all its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: list[Children] = []
        self._known: frozenset[psutil.Process] = frozenset()

    def enter(self, run: Children) -> bool:
        """Become the parent of orphans, for one more block; gives whether the system agrees."""
        if sys.platform != "linux":
            return False
        with self._lock:
            if not self._blocks:
                if not _set_subreaper(on=True):
                    return False
                self._known = frozenset(psutil.Process().children())
            self._blocks.append(run)
            return True

    def leave(self, run: Children, found: Orphans) -> None:
        """End the run's orphans, and with the last block those that are nobody's."""
        with self._lock:
            self._blocks.remove(run)
            others = [each for each in self._blocks if each is not run]
            known = self._known
        try:
            _end_orphans(lambda each: _is_orphan_of(run, each, others), known, found)
        finally:
            with self._lock:
                if not self._blocks:
                    _set_subreaper(on=False)


_reaper: Final = _Reaper()


@contextlib.contextmanager
def reap_orphans() -> Iterator[Orphans]:
    """End, when the block is left, every process that was begun in it and lost its parent."""
    found, run = Orphans(), process.current_children()
    adopting = _reaper.enter(run)
    try:
        yield found
    finally:
        if adopting:
            _reaper.leave(run, found)


def _is_orphan_of(run: Children, candidate: psutil.Process, others: Sequence[Children]) -> bool:
    """Return whether an orphan is a run's, or nobody's where no other run is at work."""
    marks = process.read_marks(candidate)
    if marks & process.list_live_marks():
        return False
    return not others or run.mark in marks


def _end_orphans(
    is_ours: Callable[[psutil.Process], bool], known: frozenset[psutil.Process], found: Orphans
) -> None:
    """End orphans until none is left: one that is ended may leave children of its own."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        left = [each for each in _list_orphans(known) if is_ours(each)]
        if not left:
            return
        for each in left:
            _end_orphan(each, found)


def _list_orphans(known: frozenset[psutil.Process]) -> list[psutil.Process]:
    children = psutil.Process().children()
    started = process.list_started_pids()  # asked after the look, see there
    return [
        each
        for each in children
        if each not in known and each.pid not in started and not _is_in_own_session(each.pid)
    ]


def _is_in_own_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:
        return True  # gone: nothing to end


def _end_orphan(orphan: psutil.Process, found: Orphans) -> None:
    with contextlib.suppress(psutil.Error, OSError):
        for each in (*orphan.children(recursive=True), orphan):
            if each.status() != psutil.STATUS_ZOMBIE:
                found.commands.append(" ".join(each.cmdline())[:200] or each.name())
            each.kill()
        orphan.wait(1.0)


def _set_subreaper(*, on: bool) -> bool:
    """Ask the system to make us the parent of orphans, or not any more.

    Returns:
        Whether it does.
    """
    try:
        library = ctypes.CDLL(None, use_errno=True)
        return int(library.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def describe_orphans(orphans: Orphans) -> str:
    """Return in one line what was ended; empty if nothing was."""
    if not orphans.commands:
        return ""
    count = len(orphans.commands)
    return f"ended {count} process{'es' if count > 1 else ''} left running: {orphans.commands[0]}"
