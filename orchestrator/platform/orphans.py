"""End what a child leaves running, even if it has cleared its environment and left the session.

On Linux a process can ask to become the parent of its descendants' orphans (prctl(2),
PR_SET_CHILD_SUBREAPER). On other systems only processes with a mark are found, by `process_tree`.

The kernel does not distinguish the children that we started from those that we adopted. A child is
treated as an orphan if all of these hold:

- it was not a child of this process when the first block was entered;
- it is not in the session of this process. `popen` gives each child a session of its own, and no
  process can join another session, so an orphan never is; what other threads start with plain
  `subprocess` or `multiprocessing` always is;
- `popen` did not start it, in any thread;
- it does not carry the mark of a child that is still running: another thread's agent may need it.

A child that other code starts in a session of its own cannot be distinguished from an orphan.

If several runs share one process, an orphan belongs to the run whose mark it carries, and only that
run ends it. An orphan without a mark belongs to no run: the last of the overlapping runs ends it
when it leaves its block, and reports it.
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

from orchestrator.counts import format_count
from orchestrator.platform.children import (
    Children,
    current_children,
    list_live_marks,
    list_started_pids,
)
from orchestrator.platform.process_tree import read_marks

_PR_SET_CHILD_SUBREAPER: Final = 36
_SECONDS: Final = 5.0


class Orphans:
    """The commands of the processes that were ended."""

    def __init__(self) -> None:
        self.commands: list[str] = []


class _Reaper:
    """This process as the parent of orphans: a setting of the whole process, not of a thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._blocks: list[Children] = []
        self._known: frozenset[psutil.Process] = frozenset()

    def enter(self, run: Children) -> bool:
        """Adopt orphans, for one more block; return whether the system supports it."""
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
        """End the run's orphans, and with the last block those without a mark."""
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
    """End, when the block is left, all processes that were started in it and lost their parent."""
    found, run = Orphans(), current_children()
    is_adopting = _reaper.enter(run)
    try:
        yield found
    finally:
        if is_adopting:
            _reaper.leave(run, found)


def _is_orphan_of(run: Children, candidate: psutil.Process, others: Sequence[Children]) -> bool:
    """Return whether a run has to end an orphan: its own, or any while no other run is active."""
    marks = read_marks(candidate)
    if marks & list_live_marks():
        return False
    return not others or run.mark in marks


def _end_orphans(
    is_own: Callable[[psutil.Process], bool], known: frozenset[psutil.Process], found: Orphans
) -> None:
    """End orphans until none is left: ending one can make its children orphans."""
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline:
        left = [each for each in _list_orphans(known) if is_own(each)]
        if not left:
            return
        for each in left:
            _end_orphan(each, found)


def _list_orphans(known: frozenset[psutil.Process]) -> list[psutil.Process]:
    children = psutil.Process().children()
    started = list_started_pids()  # after listing the children, see there
    return [
        each
        for each in children
        if each not in known and each.pid not in started and not _is_in_own_session(each.pid)
    ]


def _is_in_own_session(pid: int) -> bool:
    try:
        return os.getsid(pid) == os.getsid(0)
    except ProcessLookupError:
        return True  # it is gone: nothing to end


def _end_orphan(orphan: psutil.Process, found: Orphans) -> None:
    with contextlib.suppress(psutil.Error, OSError):
        for each in (*orphan.children(recursive=True), orphan):
            if each.status() != psutil.STATUS_ZOMBIE:
                found.commands.append(" ".join(each.cmdline())[:200] or each.name())
            each.kill()
        orphan.wait(1.0)


def _set_subreaper(*, on: bool) -> bool:
    """Ask the kernel to make this process the parent of orphans, or no longer; return success."""
    try:
        library = ctypes.CDLL(None, use_errno=True)
        return int(library.prctl(_PR_SET_CHILD_SUBREAPER, int(on), 0, 0, 0)) == 0
    except (OSError, AttributeError):
        return False


def describe_orphans(orphans: Orphans) -> str:
    """Return one line on the processes that were ended; empty if there were none."""
    if not orphans.commands:
        return ""
    count = format_count(len(orphans.commands), "process", "processes")
    return f"ended {count} left running: {orphans.commands[0]}"
