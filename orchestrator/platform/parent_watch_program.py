"""End what an orchestrator process has started, when that process dies. Run as a program.

    python -I -S parent_watch_program.py PID MARK FOLDER...

Standard input is a pipe whose other end only process PID holds. At its end without a farewell that
process is dead, and everything with its MARK is killed, and what else is known to descend from it.
Its folders with secrets are removed.
The FOLDERs are those to import this package and psutil from.

It outlives what ends its parent: it has a session of its own, so that neither Ctrl-C nor a closed
terminal reaches it, and it ignores the signals of a logout or of a service manager.
"""

# pathlib alone takes longer to import than most commands take to run.
# ruff: noqa: PTH110, PTH123, PTH208

import contextlib
import os
import select
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import psutil

FAREWELL: Final = b"."
"""What the parent writes before it ends by itself: then nothing is ended."""

_IGNORED: Final = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)

_FIRST_SECONDS: Final = 0.2
"""How long to wait before psutil is imported: most commands are over by then."""

_REFRESH_SECONDS: Final = 0.25
"""How often to list the descendants. One that clears its environment and loses its parent in less
time is found only if it is a descendant of another process that is found."""

_SLOW_REFRESH_SECONDS: Final = 2.0
"""The same where the whole process table must be read to list them."""

_LATER_LOOKS: Final = (0.05, 0.2, 0.5, 1.0)
"""Seconds between further looks after the first: what the parent was just starting when it died has
no mark before it executes its program."""


def main() -> None:
    """Wait for the end of the parent, and end what it has left running."""
    for number in _IGNORED:
        signal.signal(number, signal.SIG_IGN)
    sys.path += sys.argv[3:]
    pid, mark = int(sys.argv[1]), sys.argv[2]
    known: dict[int, psutil.Process] = {}
    farewell = _read_end(_FIRST_SECONDS)
    while farewell is None:
        seconds = _refresh_known(pid, known)
        farewell = _read_end(seconds)
    if farewell != FAREWELL:
        _end_all(mark, known)


def _read_end(seconds: float) -> bytes | None:
    """Return what the parent wrote at its end, empty if nothing; None while it is running."""
    readable, _, _ = select.select([0], [], [], seconds)
    return os.read(0, 1) if readable else None


def _end_all(mark: str, known: "dict[int, psutil.Process]") -> None:
    from orchestrator.platform.process_tree import end_marked_processes
    from orchestrator.platform.secret_folders import remove_secret_folders

    end_marked_processes(mark, known.values())
    for seconds in _LATER_LOOKS:
        time.sleep(seconds)
        end_marked_processes(mark, known.values())
    remove_secret_folders(mark)


def _refresh_known(pid: int, known: "dict[int, psutil.Process]") -> float:
    """Add the present descendants of the parent to those that are known, and drop those gone.

    Returns:
        Seconds until the next refresh.
    """
    import psutil

    from orchestrator.platform.process_tree import is_alive, list_descendants

    for each in [each for each, process in known.items() if not is_alive(process)]:
        del known[each]
    found, seconds = _list_descendant_ids(pid), _REFRESH_SECONDS
    if found is None:
        found, seconds = {each.pid for each in list_descendants(pid)}, _SLOW_REFRESH_SECONDS
    for each in found - known.keys() - {os.getpid()}:
        with contextlib.suppress(psutil.Error):
            known[each] = psutil.Process(each)
    return seconds


def _list_descendant_ids(pid: int) -> set[int] | None:
    """Return the ids of a process's descendants; None if the system has no lists of children.

    Linux lists the children of a thread in /proc (proc(5), CONFIG_PROC_CHILDREN), which takes a
    hundredth of the time of reading the parent of every process.
    """
    found, left = set[int](), [pid]
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        return None
    while left:
        children = set(_read_children(left.pop())) - found
        found |= children
        left += children
    return found


def _read_children(pid: int) -> list[int]:
    children: list[int] = []
    with contextlib.suppress(OSError):
        for task in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError), open(f"/proc/{pid}/task/{task}/children") as file:
                children += map(int, file.read().split())
    return children


if __name__ == "__main__":
    main()
    # Nothing is left to do, and the interpreter's shutdown would take milliseconds.
    os._exit(0)
