"""Add entries to the working buffer, `memory/working-buffer.md`, and change their status.

Callers hold the buffer's lock.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH103, PTH114, PTH118, PTH120, PTH123

import os
import stat

from orchestrator.platform.atomic import replace_unless_changed
from orchestrator.platform.bom import is_utf16
from orchestrator.session_hooks.writeahead import locations
from orchestrator.session_hooks.writeahead.grammar import set_call_status

_TRIES = 20


def append_entry(base: str, text: str) -> None:
    """Append an entry to the buffer, with one write that is on the disk when this returns.

    The file is not replaced: an editor that has it open would then write over the new one.

    Raises:
        OSError: it cannot be written; a part that was written is removed again.
        ValueError: the buffer is UTF-16.
    """
    path = os.path.join(base, locations.BUFFER)
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    if os.path.islink(folder):
        raise OSError(f"{folder} is a symbolic link")
    file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        size = _require_file(file)
        start = os.pread(file, 4096, 0)
        if is_utf16(start):
            raise ValueError(f"{path} is encoded as UTF-16; save it as UTF-8")
        data = ("\n" + text if size else text).encode("utf-8", "replace")
        if size and os.pread(file, 1, size - 1) != b"\n":
            data = b"\n" + data
        if b"\r\n" in start:
            data = data.replace(b"\n", b"\r\n")
        append_bytes(file, data, path)
        os.fsync(file)
    finally:
        os.close(file)


def append_bytes(file: int, data: bytes, path: str) -> None:
    """Append bytes to an open file, all of them or none.

    Raises:
        OSError: they do not fit on the disk; a part that was written is removed again.
    """
    size = os.fstat(file).st_size
    try:
        written = os.write(file, data)
        if written != len(data):
            raise OSError(f"only {written} of {len(data)} bytes fit into {path}")
    except OSError:
        os.ftruncate(file, size)
        raise


def set_entry_status(base: str, call: str, status: str, outcome: str = "") -> bool:
    """Set the status of a tool call's entry; return False if no entry of it is PENDING.

    Every byte but the status, and the outcome after it, stays as it is.

    Raises:
        OSError: the buffer cannot be read or written.
    """
    path = os.path.join(base, locations.BUFFER)
    for _ in range(_TRIES):
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(file, "rb") as stream:
            _require_file(file)
            before = os.fstat(file)
            data = stream.read()
        changed = set_call_status(data, call, status, outcome)
        if changed is None:
            return False
        if replace_unless_changed(path, changed, before):
            return True
    raise OSError(f"another program writes to {path} all the time")


def _require_file(descriptor: int) -> int:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        raise OSError("the working buffer is not a file")
    return found.st_size
