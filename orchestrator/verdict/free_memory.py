"""Reads how much memory is available: to the machine, to control groups, to one process.

A control group limits a container or a service, and the groups above it limit it too; `ulimit -v`
(RLIMIT_AS) limits each process. Child processes inherit both, so the limits of this process are the
suite's.
"""

import resource
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

_LITTLE: Final = 256 * 1024 * 1024
"""Bytes of free memory below which it counts as low."""

_UNLIMITED: Final = 2**60
"""Control groups of version 1 express "no limit" as a number near 2**63."""

_CGROUPS: Final = Path("/proc/self/cgroup")
_MOUNT: Final = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class AvailableMemory:
    """Free and total memory in bytes, of a machine or a control group."""

    free: int
    total: int

    @property
    def is_low(self) -> bool:
        """Whether less than 256 MB are free, or less than an eighth if the total is small."""
        return self.free < min(_LITTLE, self.total // 8)


def read_machine_memory() -> AvailableMemory:
    """Return the machine's memory. Memory of caches counts as free."""
    memory = psutil.virtual_memory()
    return AvailableMemory(memory.available, memory.total)


def read_container_memory(cgroups: Path = _CGROUPS, mount: Path = _MOUNT) -> AvailableMemory | None:
    """Return the memory of the control group with the least free memory; None without a limit.

    Args:
        cgroups: a file in the format of `/proc/self/cgroup`.
        mount: where control groups are mounted.
    """
    groups = (_read_cgroup_memory(folder) for folder in _iter_cgroup_folders(cgroups, mount))
    return min((group for group in groups if group), key=lambda group: group.free, default=None)


def read_process_limit() -> int | None:
    """Return how many bytes one process may map (`ulimit -v`); None without a limit."""
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def format_bytes(count: int) -> str:
    """Return a number of bytes as text: `1.5 GB`, `300 MB`."""
    return f"{count / 2**30:.1f} GB" if count >= 2**30 else f"{count // 2**20} MB"


def _iter_cgroup_folders(cgroups: Path, mount: Path) -> Iterator[Path]:
    """Yield the folders of this process's control groups for memory, and of their parents."""
    try:
        lines = cgroups.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number != "0" and "memory" not in controllers.split(","):
            continue
        tops = [mount, mount / "unified"] if number == "0" else [mount / "memory"]
        path = Path(name.lstrip("/"))
        # In a container, the name may be the host's, which does not exist there: then the mount
        # point itself is this process's group.
        yield from (top / part for top in tops for part in (path, *path.parents))


def _read_cgroup_memory(folder: Path) -> AvailableMemory | None:
    names = ("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")
    for limit_name, usage_name in names:
        limit, usage = _read_number(folder / limit_name), _read_number(folder / usage_name)
        if limit is None or usage is None or limit >= _UNLIMITED:
            continue
        used = max(0, usage - _read_cache(folder))
        return AvailableMemory(max(0, limit - used), limit)
    return None


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):  # "max" is no limit
        return None


def _read_cache(folder: Path) -> int:
    """Return the bytes of cached files, which the kernel frees before it kills a process."""
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    values = dict(line.split(maxsplit=1) for line in lines if " " in line)
    return int(values.get("total_inactive_file", values.get("inactive_file", 0)))
