"""Read and replace the files that contain rules, without losing a byte."""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, LoopError, RulebookError
from orchestrator.platform import atomic
from orchestrator.platform.files import find_git_top
from orchestrator.platform.folders import GIT_FOLDER

_DISK_FULL_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SUPPORTS_EFFECTIVE_IDS: Final = os.access in os.supports_effective_ids
_PERMISSION_ERRORS: Final = (errno.EACCES, errno.EPERM, errno.EROFS)


@dataclass(frozen=True)
class Content:
    """What a file held when it was read; `stat` is None while there is no such file."""

    data: bytes
    stat: os.stat_result | None


def resolve_path(named: Path, project: Path | None = None) -> Path:
    """Return the file to write: `named` itself, or what it links to inside the project.

    Args:
        named: the file.
        project: where it has to lie, also when one of its folders is a link; its folder if None.

    Raises:
        RulebookError: the link leads out of the project and its git checkout, into `.git`, or
            nowhere.
    """
    with translate_os_errors(named, "read"):
        link = named if named.is_symlink() else named.parent
        root = (project or named.parent).resolve()
        real = Path(os.path.realpath(named))
        if link is not named and real.parent == root:
            return real
        top = find_git_top(root)
        if not real.is_relative_to(top) or GIT_FOLDER in real.relative_to(top).parts:
            raise RulebookError(
                f"{link} is a link out of the project, to {os.path.realpath(link)}",
                "put a file in its place, or link to a file in the project",
            )
        if link is named and not real.exists():
            raise RulebookError(
                f"{named} is a link to {real}, which does not exist", "remove or correct the link"
            )
        return real


def read_content(path: Path) -> Content:
    """Return the file's bytes; none if it does not exist.

    Raises:
        RulebookError: it is no file, or may not be read.
        InfrastructureError: the disk fails.
    """
    with translate_os_errors(path, "read"):
        try:
            found = path.stat()
        except FileNotFoundError:
            return Content(b"", None)
        if not stat.S_ISREG(found.st_mode):
            raise RulebookError(f"{path} is not a file", "move it away")
        with path.open("rb") as file:
            return Content(file.read(), os.fstat(file.fileno()))


def replace_file(path: Path, data: bytes, before: Content) -> bool:
    """Replace the file with `data` atomically; mode and owner stay.

    Return False, and change nothing, when the file is no longer what `before` says.
    The caller holds the lock for the path.

    Raises:
        RulebookError: the file or its folder may not be written.
        InfrastructureError: the disk is full, or fails.
    """
    with translate_os_errors(path, "written"):
        _remove_stale_files(path)
        if before.stat and not os.access(path, os.W_OK, effective_ids=_SUPPORTS_EFFECTIVE_IDS):
            raise PermissionError(errno.EACCES, "it is write-protected")
        return atomic.replace_unless_changed(path, data, before.stat)


def remove_file(path: Path, before: Content) -> bool:
    """Remove the file, unless it is no longer what `before` says; return False then.

    The caller holds the lock for the path.

    Raises:
        RulebookError: it may not be removed.
        InfrastructureError: the disk fails.
    """
    with translate_os_errors(path, "removed"):
        if atomic.is_changed(path, before.stat):
            return False
        path.unlink(missing_ok=True)
        atomic.sync_folder(path.parent)
        return True


@contextlib.contextmanager
def translate_os_errors(path: Path, done: str) -> Iterator[None]:
    """Turn an `OSError` into an error that says what is wrong with `path`, and a hint."""
    try:
        yield
    except OSError as error:
        raise _translate_os_error(error, path, done) from error


def _translate_os_error(error: OSError, path: Path, done: str) -> LoopError:
    why = error.strerror or str(error)
    if error.errno in _DISK_FULL_ERRORS:
        return InfrastructureError(
            f"no space left for {path}: {why}; the file is as it was", "make room, then try again"
        )
    if error.errno in _PERMISSION_ERRORS:
        return RulebookError(f"{path} cannot be {done}: {why}", "change its permissions")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return RulebookError(f"{path} cannot be {done}: {why}", "check the project directory")
    return InfrastructureError(f"{path} cannot be {done}: {why}", "check the disk")


def _remove_stale_files(path: Path) -> None:
    """Remove temporary files of writers that were killed."""
    for entry in os.scandir(path.parent):
        writer = atomic.find_writer(entry.name, path.name)
        if writer is not None and not _is_writer_alive(writer):
            Path(entry.path).unlink(missing_ok=True)


def _is_writer_alive(pid: int) -> bool:
    """Return whether another process with this id is alive.

    This process holds the lock, so it cannot be the one that is writing.
    """
    if pid == os.getpid():
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass  # alive, and of another user
    return True
