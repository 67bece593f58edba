"""Choose how many lanes work side by side on this machine."""

import os
from typing import Final

from orchestrator.tasks.models import MOST_LANES
from orchestrator.verdict.free_memory import read_container_memory, read_machine_memory

_LANE_BYTES: Final = 600 * 1024 * 1024
"""Memory of a lane: about 200 MB for the agent's program, the rest for the suite."""


def choose_lane_count(cores: int | None = None, free: int | None = None) -> int:
    """Return how many lanes work side by side: one per core, as far as the memory goes.

    Args:
        cores: processors that this process may use; looked up if None.
        free: bytes of memory that are available; looked up if None.
    """
    processors = _count_cores() if cores is None else cores
    memory = _read_free_memory() if free is None else free
    return max(1, min(MOST_LANES, processors, memory // _LANE_BYTES))


def _count_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _read_free_memory() -> int:
    container = read_container_memory()
    machine = read_machine_memory()
    return min(machine.free, container.free) if container else machine.free
