"""Find processes that a test has started, and that nothing has ended."""

import contextlib
import os
import time
from pathlib import Path

import psutil


def list_survivors(folder: Path, seconds: float = 0.0) -> list[str]:
    """Return the other processes that work in a folder or below, after some time to end."""
    deadline = time.monotonic() + seconds
    while (found := _list_processes(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def _list_processes(folder: Path) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid != os.getpid() and Path(process.cwd()).is_relative_to(folder):
                found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found
