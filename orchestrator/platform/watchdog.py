"""Watch a child's limits: its running time, its silence, and the size of its process tree."""

import math
import threading
import time
from collections.abc import Callable
from enum import StrEnum


class EndReason(StrEnum):
    """Who ended a child, and why."""

    ITSELF = "itself"
    WALL_CLOCK = "wall clock"
    NO_OUTPUT = "no output"
    NO_PROGRESS = "no progress"
    PROCESSES = "too many processes"
    US = "us"


class Watchdog:
    """A thread that ends a child when it exceeds a limit.

    Args:
        wall_clock: the most seconds that it may run; None for no limit.
        no_output: the most seconds of silence; None for no limit.
        most_processes: the most processes in its tree; None for no limit.
    """

    def __init__(
        self, wall_clock: float | None, no_output: float | None, most_processes: int | None
    ) -> None:
        self._wall_clock, self._no_output = wall_clock, no_output
        self._most_processes = most_processes
        self._started = self._last_output = time.monotonic()
        self._stopped = threading.Event()

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def start(self, count_processes: Callable[[], int], end: Callable[[EndReason], None]) -> None:
        """Start watching in a thread, if there is a limit.

        Args:
            count_processes: returns the size of the child's tree.
            end: ends the child; called once.
        """
        if (self._wall_clock, self._no_output, self._most_processes) == (None, None, None):
            return
        arguments = (count_processes, end)
        threading.Thread(target=self._watch_limits, args=arguments, daemon=True).start()

    def note_output(self) -> None:
        """Reset the time of silence."""
        self._last_output = time.monotonic()

    def stop(self) -> None:
        """Stop watching: the child has ended."""
        self._stopped.set()

    def _watch_limits(
        self, count_processes: Callable[[], int], end: Callable[[EndReason], None]
    ) -> None:
        while not self._stopped.wait(min(self._next_deadline() - time.monotonic(), 1.0)):
            if self._most_processes is not None and count_processes() > self._most_processes:
                return end(EndReason.PROCESSES)
            now = time.monotonic()
            if self._wall_clock is not None and now - self._started >= self._wall_clock:
                return end(EndReason.WALL_CLOCK)
            if self._no_output is not None and now - self._last_output >= self._no_output:
                return end(EndReason.NO_OUTPUT)
        return None

    def _next_deadline(self) -> float:
        deadlines = [math.inf]
        if self._wall_clock is not None:
            deadlines.append(self._started + self._wall_clock)
        if self._no_output is not None:
            deadlines.append(self._last_output + self._no_output)
        return min(deadlines)
