"""Watch this process from another one, which ends our children if this process is killed.

A child does not end with its parent: after `kill -9` Claude Code would go on spending, and a suite
would run without its timeout. Linux can signal a child when its parent dies (prctl(2),
PR_SET_PDEATHSIG), but only the child itself and not its descendants, and already when the thread
that started it ends.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, Protocol

import psutil

from orchestrator.platform import parent_watch_program
from orchestrator.platform.liveness import mark_process
from orchestrator.platform.process_tree import MARK


class WatchProcess(Protocol):
    """A started watching process: `subprocess.Popen`."""

    @property
    def stdin(self) -> IO[bytes] | None:
        """The pipe whose end means that this process is gone."""

    def poll(self) -> int | None:
        """Return its exit status; None while it is running."""

    def wait(self) -> int:
        """Wait for its end and return its exit status."""


StartWatch = Callable[[Sequence[str], Mapping[str, str]], WatchProcess]
"""Starts the watching process with arguments and an environment. It must be the only one to
inherit the reading end of its standard input, and nobody may inherit the writing end."""


_RESTART_SECONDS: Final = 0.2
"""How long to wait before an ended watching process is replaced: what kills it may do so again."""


class _ParentWatch:
    """The process that watches this one: started with the first child, replaced if it is gone.

    A child may end it, by accident or to live on; it has the rights of the same user.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: WatchProcess | None = None
        self._inherited: list[WatchProcess | None] = []
        """Those of the parent, in a fork: kept, because Python warns when one is deleted."""
        self._watched = 0
        self._is_over = False

    def ensure_running(self, start: StartWatch) -> None:
        with self._lock:
            is_own = self._watched == os.getpid()  # a fork inherits that of its parent
            if is_own and self._process and self._process.poll() is None:
                return
            process = start(_build_command(), _build_environment())
            if not is_own:
                self._inherited.append(self._process)
            self._process, self._watched = process, os.getpid()
        threading.Thread(target=self._replace_at_end, args=(process, start), daemon=True).start()

    def end(self) -> None:
        with self._lock:
            self._is_over = True
            if self._watched == os.getpid():
                self._close_pipe(parent_watch_program.FAREWELL)

    def _replace_at_end(self, process: WatchProcess, start: StartWatch) -> None:
        process.wait()
        time.sleep(_RESTART_SECONDS)
        with contextlib.suppress(OSError):  # the next child's start tries again, and reports it
            if not self._is_over:
                self.ensure_running(start)

    def _close_pipe(self, message: bytes) -> None:
        if self._process and self._process.stdin:
            with contextlib.suppress(OSError), self._process.stdin as pipe:
                pipe.write(message)


_watch: Final = _ParentWatch()
atexit.register(_watch.end)


def ensure_parent_watch(start: StartWatch) -> None:
    """Start the watching process, unless it is running.

    Raises:
        OSError: it cannot be started, for another reason than missing permission.
    """
    # An interpreter that may not be started (this process runs as another user) is no reason to
    # start nothing else: the next command ends what a killed process has left.
    with contextlib.suppress(PermissionError):
        _watch.ensure_running(start)


def _build_command() -> list[str]:
    program = Path(parent_watch_program.__file__)
    folders = dict.fromkeys((program.parents[2], Path(psutil.__file__).parents[1]))
    mark = mark_process()
    # With `-I -S` Python starts faster, and the environment cannot replace one of its modules.
    options = ("-I", "-S", str(program), str(mark.pid), mark.text)
    return [sys.executable, *options, *map(str, folders)]


def _build_environment() -> dict[str, str]:
    """Return the marks of an outer orchestrator, for the watch ends with it, and where folders are.

    Without our own mark, or it would end itself.
    """
    return {name: os.environ[name] for name in (MARK, "TMPDIR") if name in os.environ}
