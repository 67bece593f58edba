"""Show that a long step is still at work: `python -m tests.machines.heartbeat TEXT COMMAND...`.

On a terminal, one line is overwritten each second. Elsewhere a line is printed every ten seconds,
and none for a step that is done sooner. Knows the standard library only.
"""

import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, TextIO

_ON_TERMINAL: Final = 1.0
_IN_LINES: Final = 10.0
"""Seconds between two signs of life."""


@contextmanager
def heartbeat(
    describe: Callable[[], str], out: TextIO = sys.stdout, seconds: float | None = None
) -> Iterator[None]:
    """Print what `describe` returns, with the time that has passed, as long as the block runs.

    Args:
        describe: returns the present state, such as "unpacked 12 packages".
        out: where to print.
        seconds: between two lines; by default it depends on whether `out` is a terminal.
    """
    overwrites = out.isatty()
    interval = seconds or (_ON_TERMINAL if overwrites else _IN_LINES)
    begun, done = time.monotonic(), threading.Event()

    def beat() -> None:
        while not done.wait(interval):
            line = f"  {describe()}, {time.monotonic() - begun:.0f} s"
            if overwrites:
                width = shutil.get_terminal_size().columns - 1
                print(f"\r\x1b[K{line[:width]}", end="", file=out, flush=True)
            else:
                print(line, file=out, flush=True)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        if overwrites:
            print("\r\x1b[K", end="", file=out, flush=True)


def main(text: str, *command: str) -> int:
    """Run a command that says nothing by itself; return its exit code."""
    with heartbeat(lambda: text):
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    try:
        sys.exit(main(*sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
