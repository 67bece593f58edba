"""Changing a file of the workspace, when hooks, sessions and people write at the same time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.rulebook import files
from orchestrator.rulebook.locking import hold_lock
from orchestrator.session_hooks.writeahead import locations

_TRIES: Final = 20


@contextmanager
def lock_workspace(base: Path) -> Iterator[None]:
    """Hold the lock of a workspace, which hooks take too.

    Raises:
        InfrastructureError: somebody holds it for too long, or the state directory is not ours.
    """
    with hold_lock(Path(locations.lock_path(str(base))), base):
        yield


def edit_file(named: Path, change: Callable[[bytes], bytes], project: Path | None = None) -> bool:
    """Replace a file by what `change` makes of it; False when that is what it was.

    `change` is called again when somebody without our lock wrote in the meantime. No link leads it
    out of `project`, if there is one.

    Raises:
        LoopError: the file cannot be read or written; it is as it was.
    """
    path = files.resolve_path(named, project)
    for _ in range(_TRIES):
        before = files.read_content(path)
        data = change(before.data)
        if data == before.data:
            return False
        with files.translate_os_errors(path, "written"):
            path.parent.mkdir(parents=True, exist_ok=True)
        if files.replace_file(path, data, before):
            return True
    raise InfrastructureError(f"{path} is being written all the time", "close what writes it")


def create_file(named: Path, data: bytes, project: Path | None = None) -> bool:
    """Write a file as a whole if it does not exist; gives whether it did not.

    Raises:
        LoopError: it cannot be written, or is no file; nothing of it is there then.
    """
    path = files.resolve_path(named, project)
    before = files.read_content(path)
    if before.stat:
        return False
    with files.translate_os_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    return files.replace_file(path, data, before)


def read_file(named: Path, project: Path | None = None) -> bytes:
    """A file's bytes; none if it does not exist."""
    return files.read_content(files.resolve_path(named, project)).data
