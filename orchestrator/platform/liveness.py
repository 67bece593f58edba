"""Check whether a process that was recorded earlier is still running.

Linux counts a process's start in ticks since the boot. In seconds since 1970 it changes whenever
the clock is set: after a step of some seconds a running process would seem to be gone, and what it
has started would be killed. So there the start is counted from a number that only this boot has.
"""

import functools
import hashlib
import os
import platform
from pathlib import Path
from typing import Final, NamedTuple

_TOLERANCE_SECONDS: Final = 1.0
"""What was recorded in seconds since 1970 changes a little whenever the clock is adjusted."""

_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
_LAST_BOOT: Final = 1_000_000_000
"""Numbers of boots are whole and below: with hundredths of a second a float still has them all."""


class ProcessMark(NamedTuple):
    """Identifies a process: the system reuses its number, but not with the same start time."""

    host: str
    pid: int
    started: float
    """Seconds from the number of the boot; since 1970 where there is none, and in records of
    earlier versions. Negative for a process that is known to be gone."""

    @property
    def text(self) -> str:
        """The mark in the environment of what the process starts."""
        return f"orchestrator-{self.pid}-{self.started:.2f}"


def mark_process() -> ProcessMark:
    """Return the mark of this process, always the same one."""
    return _mark_process(os.getpid())


@functools.cache  # read again after the clock was set, it could be another
def _mark_process(pid: int) -> ProcessMark:
    return ProcessMark(platform.node(), pid, _read_start(pid) or read_start_time(pid))


def is_running(mark: ProcessMark, *, local: bool) -> bool:
    """Return whether a process is running, or may be.

    Args:
        mark: the process.
        local: whether it must have been on this machine, even if the machine's name has changed. A
            process of another machine cannot be checked from here and counts as running.
    """
    if not local and mark.host != platform.node():
        return True
    if _is_same(_read_start(mark.pid), mark.started):
        return True
    return _is_same(read_start_time(mark.pid), mark.started)


def _is_same(started: float, recorded: float) -> bool:
    return started > 0 and abs(started - recorded) <= _TOLERANCE_SECONDS


def _read_start(pid: int) -> float:
    """Return when a process started, in seconds from the number of this boot.

    Returns:
        0 if it is not running, or the system counts in another way.
    """
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        boot = _number_boot()
        ticks = int(fields[18])  # `starttime`, the 22nd of all fields: proc(5)
    except (OSError, ValueError, IndexError):
        return 0.0
    return 0.0 if state in (b"Z", b"X") else boot + ticks / os.sysconf("SC_CLK_TCK")


@functools.cache
def _number_boot() -> int:
    """Return a number for this boot of the machine, another one after each.

    Raises:
        OSError: the system has no id for it.
    """
    digest = hashlib.sha256(_BOOT_ID.read_bytes()).digest()
    return int.from_bytes(digest[:8], "big") % _LAST_BOOT


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
