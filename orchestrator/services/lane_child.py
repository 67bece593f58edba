"""Execute the run of a lane in a process of its own, and say in one line what it is doing."""

import contextlib
import json
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.wording import format_one_line, quote_last_lines
from orchestrator.platform.child import TERM_GRACE_SECONDS, Child
from orchestrator.platform.children import Children
from orchestrator.platform.popen import signal_group
from orchestrator.platform.process_tree import end_marked_processes
from orchestrator.services.run_activity import describe_activity
from orchestrator.storage.location import STATE_VARIABLE

END_SECONDS: Final = 3 * TERM_GRACE_SECONDS
"""How long a run may take to end its agent and to save its state; then it is killed."""

_MARK: Final = "lane-of-"
"""With the run's id, the mark of all that is started for it, also by a process that was killed.

Not the id alone: by that the run itself finds what it has left running.
"""
_STDERR_LINES: Final = 40
_LINE_BYTES: Final = 20_000
_PROGRESS: Final = 120
_LIMITS: Final = ("ORCHESTRATOR_LIMITS_MAX_COST_USD", "ORCHESTRATOR_LIMITS_WAIT_FOR_RESET")
"""A resumed run takes limits from the environment: it would spend what is reserved for others."""


class RunChild:
    """The process that executes a run, with what is started before and after it in its lane.

    Args:
        run: the run's id; it is recorded.
        folder: where the process starts; not the lane, whose modules could be imported.
        environment: that of the lane.
        state: the state directory.
        report: called in another thread with each line of progress.
    """

    def __init__(
        self,
        run: str,
        folder: Path,
        environment: Mapping[str, str],
        state: Path,
        report: Callable[[str], None],
    ) -> None:
        self._run, self._folder, self._report = run, folder, report
        self._environment = {n: each for n, each in environment.items() if n not in _LIMITS}
        self._environment[STATE_VARIABLE] = str(state)
        self._children = Children(_MARK + run)
        self._lock, self._over = threading.Lock(), threading.Event()
        self._child: Child | None = None
        self._stderr = deque[str](maxlen=_STDERR_LINES)
        self.is_ending = False
        """Whether it was asked to end."""

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        """Let `end` end what this thread starts within the block, and end what is left of it."""
        try:
            with self._children.collect():
                yield
        finally:
            self._over.set()

    def execute(self) -> int:
        """Execute the run to its end, and return the exit code; 130 if it was asked to end before.

        Raises:
            OSError: the process cannot be started.
        """
        with self._lock:
            if self.is_ending:
                return 130
            self._child = Child(
                [sys.executable, "-m", "orchestrator", "resume", self._run, "--json"],
                cwd=self._folder,
                env=self._environment,
                on_stdout=self._report_event,
                on_stderr=self._add_error,
            )
        code = self._child.wait()
        with self._lock:
            self._child = None
        return code

    def end(self) -> None:
        """End what is running, and return at once: the run saves its state, and then is killed."""
        with self._lock:
            if self.is_ending:
                return
            self.is_ending = True
            if self._child:
                # Only the run itself: it ends its agent, and records that it was interrupted.
                signal_group(self._child.pid, signal.SIGTERM)
        threading.Thread(target=self._end_late, daemon=True).start()

    def _end_late(self) -> None:
        if self._child and self._over.wait(END_SECONDS):
            return
        self._children.end_all()

    @property
    def last_error(self) -> str:
        """The last lines of its standard error on one line."""
        return quote_last_lines("\n".join(self._stderr), lines=3)

    def _report_event(self, line: bytes) -> None:
        if text := describe_event(line):
            self._report(text)

    def _add_error(self, line: bytes) -> None:
        self._stderr.append(line[:_LINE_BYTES].decode("utf-8", "replace").rstrip())


def end_leftovers(run: str) -> int:
    """End what a killed process has left running for a run, and return how many processes."""
    return end_marked_processes(_MARK + run)


def describe_event(line: bytes) -> str:
    """Return what a run is doing in one line; empty if its event does not say."""
    try:
        event: dict[str, Any] = json.loads(line)
        text = describe_activity(event["event"], event.get("attempt", 0), event)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return ""  # something else has printed it
    return format_one_line(text, _PROGRESS)
