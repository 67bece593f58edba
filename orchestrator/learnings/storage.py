"""Lock, read and change files of a workspace, which hooks, sessions and people write to as well."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.rulebook import files
from orchestrator.rulebook.locking import hold_lock
from orchestrator.session_hooks.writeahead import locations

_TRIES: Final = 20


@contextmanager
def lock_workspace(base: Path) -> Iterator[None]:
    """Hold the lock of a workspace.

    Raises:
        InfrastructureError: another process holds it for too long, or the state directory belongs
            to somebody else.
    """
    with hold_lock(Path(locations.lock_path(str(base))), base):
        yield


def edit_file(named: Path, change: Callable[[bytes], bytes], project: Path | None = None) -> bool:
    """Replace a file by what `change` returns for its content.

    Args:
        named: the file.
        change: called again when somebody who does not take our lock, such as an editor, wrote to
            the file while it ran.
        project: a folder that no symbolic link may lead out of; None allows any.

    Returns:
        False if the content did not change.

    Raises:
        LoopError: the file cannot be read or written; it is unchanged.
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
    raise InfrastructureError(
        f"another program writes to {path} all the time", "close the program and try again"
    )


def create_file(named: Path, data: bytes, project: Path | None = None) -> bool:
    """Create a file with its whole content, and return whether it did not exist.

    Raises:
        LoopError: it cannot be written, or is no regular file; no part of it is left behind.
    """
    path = files.resolve_path(named, project)
    before = files.read_content(path)
    if before.stat:
        return False
    with files.translate_os_errors(path, "written"):
        path.parent.mkdir(parents=True, exist_ok=True)
    return files.replace_file(path, data, before)


def read_file(named: Path, project: Path | None = None) -> bytes:
    """Return a file's bytes; none if it does not exist."""
    return files.read_content(files.resolve_path(named, project)).data


@contextmanager
def name_file_in_errors(path: Path) -> Iterator[None]:
    """Add the file to errors about its content."""
    try:
        yield
    except LoopError as error:
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", error.hint) from error
