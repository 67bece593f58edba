"""Report the progress of a suite while it runs: how long, in which case, with what output."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from orchestrator.events import Listener, SuiteRunning
from orchestrator.platform.escape_sequences import strip_escape_sequences

_TICK_SECONDS: Final = 1.0
_SLOW_CASE_SECONDS: Final = 5.0
"""A case that runs for longer is named."""
_HEARTBEAT_SECONDS: Final = 60.0
_WARNING_PARTS: Final = (0.5, 0.9)
"""The parts of the timeout after which it is announced."""
_MAX_LINE: Final = 300
"""Characters of a line of output."""


class SuiteProgress:
    """Collects what a suite is doing; a thread reports it every second, if there is news.

    Args:
        on_event: receives the reports, in that thread.
        timeout_seconds: after which the suite is ended.
    """

    def __init__(self, on_event: Listener, timeout_seconds: float) -> None:
        self._on_event, self._timeout = on_event, timeout_seconds
        self._started = time.monotonic()
        self._lock, self._ended = threading.Lock(), threading.Event()
        self._cases: dict[str, tuple[str, float]] = {}
        """Shown id and start of each case that is running, by the runner's own id."""
        self._is_in_key = False
        self._line = self._reported_line = self._reported_case = ""
        self._next_heartbeat = _HEARTBEAT_SECONDS
        self._warnings = [part * timeout_seconds for part in _WARNING_PARTS]
        self._warned_about: str | None = None
        self._thread = threading.Thread(target=self._report_until_end, daemon=True)

    def note_line(self, line: bytes) -> None:
        """Store a line of output, unless it is blank or a part of a private key.

        Only the whole output is masked as it should be: a line of a key has no form of its own.
        """
        if b"-----BEGIN " in line or b"-----END " in line:
            self._is_in_key = b"-----BEGIN " in line and b"PRIVATE" in line
            return
        if self._is_in_key:
            return
        text = strip_escape_sequences(line[-4 * _MAX_LINE :].decode("utf-8", "replace")).strip()
        if text:
            with self._lock:
                self._line = text[:_MAX_LINE]

    def start_case(self, case: str, shown: str) -> None:
        """Store that a test case has started, and the id to show for it."""
        with self._lock:
            self._cases[case] = shown, time.monotonic()

    def end_case(self, case: str) -> None:
        """Store that a test case has ended."""
        with self._lock:
            self._cases.pop(case, None)

    def start(self) -> None:
        """Start to report."""
        self._thread.start()

    def stop(self) -> None:
        """Report no more."""
        self._ended.set()
        self._thread.join()

    def _report_until_end(self) -> None:
        while not self._ended.wait(_TICK_SECONDS):
            if report := self._build_report():
                self._on_event(report)

    def _build_report(self) -> SuiteRunning | None:
        """Return what is new; None if nothing is."""
        now = time.monotonic()
        seconds = now - self._started
        with self._lock:
            case, since = next(iter(self._cases.values()), ("", now))
            line = self._line
        if now - since < _SLOW_CASE_SECONDS and seconds < self._warnings[0]:
            case, since = "", now
        is_late = self._is_late(seconds, case)
        is_beat = seconds >= self._next_heartbeat
        if is_beat:
            self._next_heartbeat = seconds + _HEARTBEAT_SECONDS
        is_new = (line, case) != (self._reported_line, self._reported_case)
        if not (is_new or is_late or is_beat):
            return None
        self._reported_line, self._reported_case = line, case
        return SuiteRunning(seconds, self._timeout, case, now - since, line, is_late)

    def _is_late(self, seconds: float, case: str) -> bool:
        """Return whether to announce the timeout now; about the same case only once."""
        passed = [each for each in self._warnings if seconds >= each]
        self._warnings = [each for each in self._warnings if seconds < each] or [float("inf")]
        if not passed or (case and case == self._warned_about):
            return False
        self._warned_about = case
        return True


@contextmanager
def report_progress(on_event: Listener, timeout_seconds: float) -> Iterator[SuiteProgress]:
    """Report the progress of a suite that runs inside the `with` block.

    Args:
        on_event: receives `SuiteRunning` events, in a thread of their own.
        timeout_seconds: after which the suite is ended.
    """
    progress = SuiteProgress(on_event, timeout_seconds)
    progress.start()
    try:
        yield progress
    finally:
        progress.stop()
