"""Give each lane of this machine its own free ports; none is given twice while its lane exists.

<state>/locks/lane-ports.json    {lane: {name: port}}
"""

import contextlib
import json
import socket
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform import files
from orchestrator.platform.locking import FileLock
from orchestrator.storage.state_directory import locks_folder

_LOOPBACK: Final = "127.0.0.1"
_ATTEMPTS: Final = 200


def reserve_ports(names: Iterable[str], lane: Path, state: Path) -> dict[str, int]:
    """Return a free port for each name; called again for a lane, the same ones if they are free.

    A lane whose folder is gone has no ports any more.

    Args:
        names: the names of the environment variables.
        lane: the top of the lane's work tree.
        state: the state directory: all lanes of this user share it.

    Raises:
        InfrastructureError: no port is free, or the ports cannot be stored.
    """
    note = locks_folder(state) / "lane-ports.json"
    try:
        with FileLock(note.with_suffix(".lock")):
            known = _read_known(note)
            before = known.pop(str(lane), {})
            known = {other: ports for other, ports in known.items() if Path(other).is_dir()}
            taken = {port for ports in known.values() for port in ports.values()}
            chosen: dict[str, int] = {}
            for name in dict.fromkeys(names):
                chosen[name] = _choose_port(before.get(name), taken)
                taken.add(chosen[name])
            known[str(lane)] = chosen
            files.write_file(note, json.dumps(known).encode(), 0o600)
            return chosen
    except OSError as error:
        raise InfrastructureError(
            f"no port can be reserved for {lane}: {error}", "free a port, or empty lanes.ports"
        ) from error


def _choose_port(before: int | None, taken: set[int]) -> int:
    if before and before not in taken and _is_free(before):
        return before
    for _ in range(_ATTEMPTS):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.bind((_LOOPBACK, 0))
            port = int(probe.getsockname()[1])
        if port not in taken:
            return port
    raise OSError("the system offers only ports that other lanes have")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As a server does: a connection that has just been closed does not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError:
            return False
        return True


def _read_known(note: Path) -> dict[str, Mapping[str, int]]:
    """Return the ports by lane; none if the file is missing or damaged."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        known = json.loads(files.read_text(note) or "{}")
        return {
            str(lane): {str(name): int(port) for name, port in ports.items()}
            for lane, ports in known.items()
        }
    return {}
