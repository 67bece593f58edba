"""Runs a child as the benchmark sees it: from outside, by the clock and by /proc."""

import os
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 0.02
_TICKS: Final = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Spent:
    """What one child took. Its own children count for the clock only."""

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    exit_code: int


def run(
    argv: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    output: Path,
    until: Callable[[], bool] = lambda: False,
) -> Spent:
    """Run a child to its end; what it prints goes to a file.

    What it uses after `until` has come true does not count, but for the clock.
    """
    with output.open("wb") as file:
        started = time.perf_counter()
        child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=file, stderr=file
        )
        watch = _Watch(child.pid, until)
        watch.start()
        exit_code = child.wait()
        seconds = time.perf_counter() - started
    watch.over.set()
    watch.join()
    return Spent(seconds, watch.cpu_seconds, watch.peak_bytes, exit_code)


class _Watch(threading.Thread):
    """Looks at a process again and again: what it has used is gone as soon as it ends."""

    def __init__(self, pid: int, until: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self._pid, self._until = pid, until
        self.over = threading.Event()
        self.cpu_seconds, self.peak_bytes = 0.0, 0

    def run(self) -> None:
        while not self.over.wait(_LOOK_SECONDS):
            self.cpu_seconds, self.peak_bytes = _look(self._pid) or (
                self.cpu_seconds,
                self.peak_bytes,
            )
            if self._until():
                return


def _look(pid: int) -> tuple[float, int] | None:
    """CPU time and peak of resident memory so far (proc(5): `stat`, `VmHWM` of `status`)."""
    folder = Path("/proc") / str(pid)
    try:
        stat = (folder / "stat").read_text(encoding="utf-8")
        status = (folder / "status").read_text(encoding="utf-8")
    except OSError:
        return None
    after_name = stat.rpartition(")")[2].split()
    peak = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    if not peak:  # a zombie has no memory any more
        return None
    return (int(after_name[11]) + int(after_name[12])) / _TICKS, int(peak[0]) * 1024
