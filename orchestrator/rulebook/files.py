"""Read and replace the files that contain rules, without losing a byte.

A file is replaced by a rename where that loses nothing, and is written in place otherwise, see
`orchestrator.platform.in_place`. What a killed process left behind is completed or removed by the
next one that reads the file.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, LoopError, RulebookError
from orchestrator.platform import atomic, in_place
from orchestrator.platform.files import find_git_top, list_folder
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.storage.state_directory import resolve_state_directory, writes_folder

MOST_BYTES: Final = 4 << 20
"""Longest file that is read and written: CLAUDE.md and other instructions, settings, learnings. The
time grows with the length, to some seconds; 10,000 rules have 3 MB."""
_DISK_FULL_ERRORS: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_SUPPORTS_EFFECTIVE_IDS: Final = os.access in os.supports_effective_ids
_PERMISSION_ERRORS: Final = (errno.EACCES, errno.EPERM)
_NO_RENAME_ERRORS: Final = (
    *_PERMISSION_ERRORS,
    *(errno.EROFS, errno.EBUSY, errno.EINVAL, errno.EXDEV),
)
"""Errors of a rename into a folder whose file can still be written: it is mounted on its own, the
folder is read-only, or the new file cannot be given to the owner of the old one."""


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


def read_content(path: Path, limit: int | None = MOST_BYTES) -> Content:
    """Return the file's bytes; none if it does not exist.

    A write that was interrupted is completed first, see `finish_interrupted_writes`.

    Args:
        path: the file.
        limit: most bytes that it may have; None for a file of this program.

    Raises:
        RulebookError: it is no file, may not be read, or is too long.
        InfrastructureError: the disk fails.
    """
    finish_interrupted_writes()
    with translate_os_errors(path, "read"):
        try:
            found = path.stat()
        except FileNotFoundError:
            return Content(b"", None)
        if not stat.S_ISREG(found.st_mode):
            raise RulebookError(f"{path} is not a file", "move it away")
        if limit is not None and found.st_size > limit:
            raise RulebookError(
                f"{path} is longer than {limit >> 20} MiB ({found.st_size:,} bytes)",
                "shorten it, or move it away",
            )
        with path.open("rb") as file:
            return Content(file.read(), os.fstat(file.fileno()))


def replace_file(path: Path, data: bytes, before: Content) -> bool:
    """Replace the file with `data`; mode, owner, links and extended attributes stay.

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
        if before.stat and _loses_by_rename(path, before.stat):
            return _write_in_place(path, data, before.stat)
        try:
            return atomic.replace_unless_changed(path, data, before.stat)
        except OSError as error:
            if not before.stat or error.errno not in _NO_RENAME_ERRORS:
                raise
            return _write_in_place(path, data, before.stat)


def require_writable(path: Path) -> None:
    """Raise an error unless `replace_file` can write a file; nothing is changed.

    Args:
        path: its real path; the file and its folders need not exist.

    Raises:
        RulebookError: it may not be written, or is no file.
        InfrastructureError: the disk fails.
    """
    with translate_os_errors(path, "written"):
        if read_content(path).stat:
            os.close(os.open(path, os.O_WRONLY | os.O_CLOEXEC))
            return
        folder = next(parent for parent in path.parents if os.path.lexists(parent))
        if not folder.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"{folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=_SUPPORTS_EFFECTIVE_IDS):
            raise PermissionError(errno.EACCES, f"the folder {folder} is write-protected")


def finish_interrupted_writes() -> list[in_place.FinishedWrite]:
    """Complete the writes in place that were interrupted by the death of their process.

    Raises:
        RulebookError, InfrastructureError: a file cannot be written.
    """
    notes = writes_folder(resolve_state_directory())
    with translate_os_errors(notes, "completed"):
        return in_place.finish_writes(notes)


def remove_stale_files(folders: Iterable[Path]) -> None:
    """Remove the temporary files in some folders whose writers were killed."""
    for folder in folders:
        for entry in list_folder(folder):
            writer = atomic.find_any_writer(entry.name)
            if writer is not None and not _is_writing(writer, entry):
                with contextlib.suppress(OSError):
                    Path(entry.path).unlink(missing_ok=True)


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
    if error.errno == errno.EROFS:
        return RulebookError(f"{path} cannot be {done}: {why}", "make it writable")
    if error.errno in _PERMISSION_ERRORS:
        return RulebookError(f"{path} cannot be {done}: {why}", "change its permissions")
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return RulebookError(f"{path} cannot be {done}: {why}", "check the project directory")
    return InfrastructureError(f"{path} cannot be {done}: {why}", "check the disk")


def _remove_stale_files(path: Path) -> None:
    """Remove temporary files of writers that were killed."""
    for entry in list_folder(path.parent):
        writer = atomic.find_writer(entry.name, path.name)
        if writer is not None and not _is_writer_alive(writer):
            Path(entry.path).unlink(missing_ok=True)


def _is_writing(pid: int, temporary: os.DirEntry[str]) -> bool:
    """Return whether a process may be writing a temporary file, without a lock to exclude it.

    Its age does not count: a clock that is set would make a file that is being written look old.
    """
    return temporary.is_file(follow_symlinks=False) and (
        pid == os.getpid() or _is_writer_alive(pid)
    )


def _loses_by_rename(path: Path, status: os.stat_result) -> bool:
    """Return whether a new file in its place would lose what belongs to the file itself."""
    user = os.geteuid()
    groups = {os.getegid(), *os.getgroups()}
    is_foreign = user != 0 and (status.st_uid != user or status.st_gid not in groups)
    return status.st_nlink > 1 or is_foreign or _has_attributes(path)


def _has_attributes(path: Path) -> bool:
    """Return whether a file has an access control list, or attributes that a person has set."""
    if not hasattr(os, "listxattr"):  # macOS
        return False
    with contextlib.suppress(OSError):  # the file system has none
        # The system gives `security.` ones to each new file by itself.
        return any(not name.startswith("security.") for name in os.listxattr(path))
    return False


def _write_in_place(path: Path, data: bytes, status: os.stat_result) -> bool:
    notes = writes_folder(resolve_state_directory())
    make_private_folder(notes)
    return in_place.write_in_place(path, data, status, notes)


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
