"""Tells whether a process that was written down is still there."""

import os
import platform
from typing import Final, NamedTuple

_TOLERANCE_SECONDS: Final = 1.0
"""The system counts a process's start in ticks from the boot, which the clock moves against."""


class ProcessMark(NamedTuple):
    """A process, told from every other that has its number later."""

    host: str
    pid: int
    started: float
    """Seconds since 1970; below 0 for one that is known to be gone."""


def mark_process() -> ProcessMark:
    """Return the mark of this process."""
    return ProcessMark(platform.node(), os.getpid(), read_start_time(os.getpid()))


def is_running(mark: ProcessMark, *, local: bool) -> bool:
    """Return whether a process is there, or may be.

    Args:
        mark: the process.
        local: whether it can only have been on this machine, whatever the machine was called then.
            Of one on another machine nobody here can tell: it counts as running.
    """
    if not local and mark.host != platform.node():
        return True
    started = read_start_time(mark.pid)
    return started > 0 and abs(started - mark.started) <= _TOLERANCE_SECONDS


def read_start_time(pid: int) -> float:
    """Return when a process started, in seconds since 1970; 0 if there is none."""
    import psutil

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, ValueError):
        return 0.0
