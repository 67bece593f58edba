"""Keep track of the children of each run, so that several runs can share one process.

A child belongs to the run whose `Children.collect` block its thread is in when it is started.
"""

import contextlib
import contextvars
import threading
import weakref
from collections.abc import Callable, Collection, Iterator
from typing import Final, Protocol, TypeVar


class EndableChild(Protocol):
    """A running child, as its owner sees it: `child.Child`."""

    @property
    def mark(self) -> str:
        """Its mark in the environment."""

    def end(self) -> None:
        """End it with all its descendants."""


class StartedProcess(Protocol):
    """A process that was started and may not have been waited for: `subprocess.Popen`."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def returncode(self) -> int | None:
        """Its exit status; None until it has been waited for."""


_Process = TypeVar("_Process", bound=StartedProcess)


class Children:
    """The children of one run: they carry its mark, and are ended together.

    Children that are started outside of any `collect` block belong to no run.

    Args:
        mark: the run's mark, for the environment of each child and its descendants. It can outlive
            this process: if we are killed, whoever resumes the run ends what carries it.
    """

    def __init__(self, mark: str = "") -> None:
        self.mark = mark
        self._live: set[EndableChild] = set()
        self._started: weakref.WeakSet[StartedProcess] = weakref.WeakSet()
        with _start_lock:
            _groups.add(self)

    @contextlib.contextmanager
    def collect(self) -> Iterator["Children"]:
        """Register what this thread starts within the block, git commands included."""
        previous = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(previous)

    def end_all(self) -> None:
        """End every child of this run that is still running, whatever thread has started it."""
        _end_together(self.live)

    @property
    def live(self) -> tuple[EndableChild, ...]:
        """The children that have not been waited for."""
        return tuple(self._live)

    def add(self, child: EndableChild) -> None:
        """Register a child that runs."""
        self._live.add(child)

    def discard(self, child: EndableChild) -> None:
        """Remove a child that has ended."""
        self._live.discard(child)

    def register_process(self, process: StartedProcess) -> None:
        """Register a started process; the caller holds the lock of `start_registered`."""
        self._started.add(process)

    def list_pids(self) -> set[int]:
        """Return the ids of the processes that were started and not waited for."""
        return {each.pid for each in tuple(self._started) if each.returncode is None}


_start_lock: Final = threading.RLock()
"""Held while a process is started, until it is registered."""
_groups: Final[weakref.WeakSet[Children]] = weakref.WeakSet()
"""The children of all runs. The kernel reports the children of a process, not of a run: whoever
looks through them must know those of every run."""
_unowned_children: Final = Children()
_current: Final = contextvars.ContextVar[Children]("children", default=_unowned_children)


def current_children() -> Children:
    """Return the owner of what this thread starts."""
    return _current.get()


def start_registered(start: Callable[[], _Process]) -> _Process:
    """Start a process and register it with its owner, before `list_started_pids` can look."""
    with _start_lock:
        process = start()
        current_children().register_process(process)
        return process


def start_unowned(start: Callable[[], _Process]) -> _Process:
    """Start a process that belongs to no run, and register it as one that is no orphan."""
    with _start_lock:
        process = start()
        _unowned_children.register_process(process)
        return process


def end_all() -> None:
    """End every child of this process that is still running, of all runs.

    For a Ctrl-C or SIGTERM that reaches the main thread while others wait for children.
    """
    _end_together([child for group in _list_groups() for child in group.live])


def list_started_pids() -> set[int]:
    """Return the ids of all processes that were started here, in any thread, and not waited for.

    Call it after listing the children of this process, not before: it waits for a process that
    another thread is just starting, so that no listed child is missing here.
    """
    with _start_lock:
        return {pid for group in tuple(_groups) for pid in group.list_pids()}


def list_live_marks() -> set[str]:
    """Return the marks of all running children, of all runs."""
    return {child.mark for group in _list_groups() for child in group.live}


def _list_groups() -> tuple[Children, ...]:
    with _start_lock:
        return tuple(_groups)


def _end_together(children: Collection[EndableChild]) -> None:
    # At once: ending one takes up to TERM_GRACE_SECONDS.
    threads = [threading.Thread(target=child.end) for child in children]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
