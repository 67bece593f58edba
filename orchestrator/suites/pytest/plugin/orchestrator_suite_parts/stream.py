"""Send records to the orchestrator: one JSON object per line, numbered, with the run's nonce."""

from __future__ import annotations

import contextlib
import json
import os
import stat
from typing import Any, MutableMapping


class Stream:
    """Sends records, but only from the process that opened it, not from its forks."""

    def __init__(self, descriptor: int, nonce: str, observing: bool) -> None:
        self._descriptor, self._nonce, self.observing = descriptor, nonce, observing
        self._process, self._number = os.getpid(), 0
        self._encode = json.JSONEncoder(separators=(",", ":"), default=str).encode

    def send(self, kind: str, **values: Any) -> None:
        """Send one record without buffering; if the pipe is closed, stop sending silently."""
        if self._descriptor < 0 or os.getpid() != self._process:
            return
        head = {"nonce": self._nonce, "process": self._process, "number": self._number}
        self._number += 1
        data = (self._encode({**head, "kind": kind, **values}) + "\n").encode("ascii")
        try:
            sent = os.write(self._descriptor, data)
            while sent < len(data):
                sent += os.write(self._descriptor, memoryview(data)[sent:])
        except OSError:
            self._descriptor = -1


def open_stream(environment: MutableMapping[str, str], variable: str, module: str) -> Stream | None:
    """Open the stream that `environment` names, and remove the plugin's settings from it.

    Otherwise each pytest that a test starts would report to the same stream.
    """
    text = environment.pop(variable, "")
    if not text:
        return None
    given = json.loads(text)
    options = environment.get("PYTEST_ADDOPTS", "").replace("-p " + module, "").strip()
    folders = environment.get("PYTHONPATH", "").split(os.pathsep)
    path = os.pathsep.join(folder for folder in folders if folder != given["folder"])
    for name, value in (("PYTEST_ADDOPTS", options), ("PYTHONPATH", path)):
        environment.pop(name, None)
        if value:
            environment[name] = value
    return Stream(_open_descriptor(given), given["nonce"], given["observing"])


def _open_descriptor(given: dict[str, Any]) -> int:
    """Return the inherited pipe, or a file if a program in between has closed the pipe.

    The inode shows whether the descriptor is still the pipe, or was reused.
    """
    with contextlib.suppress(OSError):
        found = os.fstat(given["descriptor"])
        if stat.S_ISFIFO(found.st_mode) and found.st_ino == given["inode"]:
            os.set_inheritable(given["descriptor"], False)
            return int(given["descriptor"])
    with contextlib.suppress(OSError):
        return os.open(given["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    return -1
