"""Changing a file of the workspace, when hooks, sessions and people write at the same time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from orchestrator.errors import InfrastructureError
from orchestrator.memory import files
from orchestrator.store import state_directory
from orchestrator.writeahead import places

_LOCK_SECONDS: Final = 60.0
_TRIES: Final = 20


@contextmanager
def workspace_locked(base: Path) -> Iterator[None]:
    """Hold the lock of a workspace, which hooks take too.

    Raises:
        InfrastructureError: somebody holds it for too long, or the state directory is not ours.
    """
    with _held(Path(places.lock_path(str(base))), base):
        yield


@contextmanager
def rulebook_locked(path: Path) -> Iterator[None]:
    """Hold the lock under which the rulebook writes an instruction file."""
    name = sha256(bytes(path)).hexdigest()[:16]
    with _held(state_directory() / "locks" / f"rulebook-{name}.lock", path):
        yield


def edit(named: Path, change: Callable[[bytes], bytes]) -> bool:
    """Replace a file by what `change` makes of it; False when that is what it was.

    `change` is called again when somebody without our lock wrote in the meantime.

    Raises:
        LoopError: the file cannot be read or written; it is as it was.
    """
    path = files.locate(named)
    for _ in range(_TRIES):
        before = files.read(path)
        data = change(before.data)
        if data == before.data:
            return False
        with files.explained(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
        if files.replace(path, data, before):
            return True
    raise InfrastructureError(f"{path} is being written all the time", "close what writes it")


def read(named: Path) -> bytes:
    """A file's bytes; none if it does not exist."""
    return files.read(files.locate(named)).data


@contextmanager
def _held(path: Path, what: Path) -> Iterator[None]:
    with files.explained(path.parent, "written"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(path, timeout=_LOCK_SECONDS)
        try:
            lock.acquire(poll_interval=0.01)
        except Timeout:
            raise InfrastructureError(
                f"another process has been writing {what} for {_LOCK_SECONDS:.0f} s",
                "wait for it, or end it",
            ) from None
    try:
        yield
    finally:
        lock.release()
