"""Check whether a process that was recorded earlier is still running."""

import functools
import os
import platform
from typing import Final, NamedTuple

_TOLERANCE_SECONDS: Final = 1.0
"""Linux counts a process's start in ticks since the boot. In seconds since 1970 it changes a little
whenever the clock is adjusted."""


class ProcessMark(NamedTuple):
    """Identifies a process: the system reuses its number, but not with the same start time."""

    host: str
    pid: int
    started: float
    """Seconds since 1970; negative for a process that is known to be gone."""

    @property
    def text(self) -> str:
        """The mark in the environment of what the process starts."""
        return f"orchestrator-{self.pid}-{self.started:.2f}"


def mark_process() -> ProcessMark:
    """Return the mark of this process, always the same one."""
    return _mark_process(os.getpid())


@functools.cache  # read again after the clock was set, the start time would be another
def _mark_process(pid: int) -> ProcessMark:
    return ProcessMark(platform.node(), pid, read_start_time(pid))


def is_running(mark: ProcessMark, *, local: bool) -> bool:
    """Return whether a process is running, or may be.

    Args:
        mark: the process.
        local: whether it must have been on this machine, even if the machine's name has changed. A
            process of another machine cannot be checked from here and counts as running.
    """
    if not local and mark.host != platform.node():
        return True
    started = read_start_time(mark.pid)
    return started > 0 and abs(started - mark.started) <= _TOLERANCE_SECONDS


def read_start_time(pid: int) -> float:
    """Return when a process started, in seconds since 1970; 0 if it is not running.

    A zombie is not running: it was killed, and its parent has not noticed, as in a container
    whose first process waits for nobody.
    """
    import psutil  # here: slow to import, and `rules list` never calls this

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return 0.0
        return float(process.create_time())
    except (psutil.Error, ValueError):
        return 0.0
