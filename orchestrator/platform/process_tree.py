"""Find and end what descends from a child: by the process tree, and by a mark in the environment.

A signal to the child's process group is not enough: Claude Code runs each shell command in a
session of its own. And a process whose parent has died is no longer in the tree, but still has the
mark in its environment.
"""

import contextlib
import os
import time
from collections.abc import Collection, Mapping
from typing import Final

import psutil

from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.liveness import mark_process

MARK: Final = "ORCHESTRATOR_CHILD"
"""Environment variable that marks a child and all its descendants.

It holds the marks of all ancestors, separated by colons: if a child is itself an orchestrator, the
outer mark still finds what that one has started.
"""

_SWEEP_SECONDS: Final = 5.0
"""How long `end_marked_processes` looks for new processes before it gives up."""

_FREEZE_ROUNDS: Final = 20
"""How often to look for processes that descendants started before they were stopped: each round
can find only children of those that the previous round has stopped."""

_ENVIRONMENT_READS: Final = 20
"""How often to read the environment of a process that is starting a program, 1 ms apart."""

_KERNEL_THREAD_PARENTS: Final = (0, 2)
"""On Linux, `init` and `kthreadd` have the parent 0, and kernel threads are children of `kthreadd`,
which is process 2."""


def add_marks(env: Mapping[str, str] | None, *marks: str) -> dict[str, str]:
    """Return an environment with the marks of this process's ancestors, its own, and others.

    By its own mark `parent_watch_program` finds everything that a killed process has started.

    Args:
        env: the environment; the one of this process if None.
        marks: the marks to append; empty ones are left out.
    """
    env = drop_repository_variables(os.environ) if env is None else env
    # Look in our own environment first: a copy that was made earlier may lack the marks.
    outer = os.environ.get(MARK) or env.get(MARK) or ""
    return {**env, MARK: ":".join(filter(None, (outer, mark_process().text, *marks)))}


def read_marks(process: psutil.Process) -> set[str]:
    """Return the marks of a process; none if it cleared its environment, or may not be read."""
    try:
        return set(_read_environment(process).get(MARK, "").split(":")) - {""}
    except (psutil.Error, OSError):
        return set()


def find_marked_processes(mark: str) -> list[psutil.Process]:
    """Return the running processes that carry a mark, except this one."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid == os.getpid() or not _has_mark(process, mark):
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _has_mark(process: psutil.Process, mark: str) -> bool:
    """Return whether a process carries a mark: the whole mark, which may have colons itself."""
    return bool(mark) and f":{mark}:" in f":{_read_environment(process).get(MARK, '')}:"


def end_marked_processes(mark: str, known: Collection[psutil.Process] = ()) -> int:
    """Kill all processes that carry a mark, in any session, and their descendants.

    Args:
        mark: the mark.
        known: more processes to end, marked or not.

    Returns:
        How many there were.
    """
    ended: set[int] = set()
    deadline = time.monotonic() + _SWEEP_SECONDS
    # Again until none is left: one may start another between the look and its end.
    while (left := _find_processes(mark, known)) and time.monotonic() < deadline:
        # Descendants first: one that has cleared its environment is found only through its parent.
        for process in list(left):
            left |= set(freeze_tree(process.pid))
        kill_processes(left)
        ended |= {process.pid for process in left}
        time.sleep(0.02)
    return len(ended)


def _find_processes(mark: str, known: Collection[psutil.Process]) -> set[psutil.Process]:
    return {*find_marked_processes(mark), *filter(is_alive, known)}


def list_descendants(pid: int) -> list[psutil.Process]:
    """Return the children of a process, their children, and so on; none if it is gone."""
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []


def count_processes(pid: int, mark: str) -> int:
    """Return the number of a child's processes: itself, its descendants, and all with its mark."""
    related = (*list_descendants(pid), *find_marked_processes(mark))
    return len({each.pid for each in related} | {pid})


def freeze_tree(pid: int) -> list[psutil.Process]:
    """Stop a process and its descendants, and return the descendants.

    Killed one by one while the others run, a process could start another one between the look and
    its end. If that one has cleared its environment too, nothing finds it once its parent is gone.
    """
    frozen: set[psutil.Process] = set()
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).suspend()
    for _ in range(_FREEZE_ROUNDS):
        # Not this process, which may itself have been started by what it ends.
        found = {each for each in list_descendants(pid) if each.pid != os.getpid()} - frozen
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.suspend()
        frozen |= found
    return list(frozen)


def kill_processes(processes: Collection[psutil.Process]) -> None:
    """Kill processes; those that are gone, or may not be killed, are skipped."""
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()


def wait_until_gone(killed: Collection[psutil.Process]) -> None:
    """Wait until killed processes are gone, for one second at most: a busy machine needs time."""
    deadline = time.monotonic() + 1.0
    while any(map(is_alive, killed)) and time.monotonic() < deadline:
        time.sleep(0.01)


def is_alive(process: psutil.Process) -> bool:
    """Return whether a process is running; a zombie is not, nor one that has its number now."""
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def _read_environment(process: psutil.Process) -> dict[str, str]:
    """Return the environment of a process, also if it is just starting a program.

    While execve(2) replaces its memory, Linux shows neither an environment nor arguments, as it
    does for kernel threads all the time.
    """
    for _ in range(_ENVIRONMENT_READS):
        if environment := process.environ():
            return environment
        if process.ppid() in _KERNEL_THREAD_PARENTS or process.cmdline():
            break
        if process.status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.001)
    return {}
