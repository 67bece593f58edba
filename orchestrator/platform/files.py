"""Query, read and write files, without an error for what this user may not access.

A folder that may not be read counts as empty. pathlib raises PermissionError instead (until Python
3.14), for example for a folder of another user on the PATH or above the project. Such a folder need
not be empty for programs: one that may be entered but not listed (x without r) gives its files to
whoever knows their names, as Python's import does. The guard opens those that a project contains.
"""

import contextlib
import glob
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.platform import atomic, folders

StrPath = str | Path

SOURCE_LIMIT: Final = 1_000_000
"""Most bytes that are read of a file written by people: code, configuration, a script."""


def exists(path: StrPath) -> bool:
    """Return whether a path exists and may be accessed, links followed."""
    return os.path.exists(path)


def is_file(path: StrPath) -> bool:
    """Return whether a path is a file that may be accessed, links followed."""
    return os.path.isfile(path)


def is_folder(path: StrPath | os.DirEntry[str]) -> bool:
    """Return whether a path is a folder that may be accessed, links followed."""
    if isinstance(path, os.DirEntry):  # it knows without asking the system, unless it is a link
        with contextlib.suppress(OSError):
            return path.is_dir()
        return False
    return os.path.isdir(path)


def is_real_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a folder, and not a link to one."""
    try:  # not `suppress`, which takes five times as long: called for every file of a project
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def is_link(path: StrPath) -> bool:
    """Return whether a path is a link that may be accessed."""
    return os.path.islink(path)


def is_special(path: StrPath) -> bool:
    """Return whether a path is a pipe, a socket or a device, which has no content to store."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def is_closed(path: StrPath) -> bool:
    """Return whether this user may not access a path, or not list it if it is a folder."""
    try:
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.lstat(os.path.join(path, os.curdir))
            os.scandir(path).close()
    except PermissionError:
        return True
    except (OSError, ValueError):
        return False
    return False


def can_enter(folder: StrPath) -> bool:
    """Return whether this user may enter a folder, even if it may not be listed."""
    try:
        os.lstat(os.path.join(folder, os.curdir))
    except (OSError, ValueError):
        return False
    return True


def open_folder(folder: Path) -> bool:
    """Let a folder's owner list, enter and write it; return whether this user may change that."""
    try:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)
    except OSError:
        return False
    return True


def list_folder(folder: StrPath) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; none if it may not be listed, or is not a folder."""
    with contextlib.suppress(OSError, ValueError):
        return list(os.scandir(folder))
    return []


def list_enclosing_folders(folder: Path) -> list[Path]:
    """Return a folder and those above it, see `folders.list_enclosing_folders`."""
    return [Path(each) for each in folders.list_enclosing_folders(folder)]


def find_git_top(folder: Path) -> Path:
    """Return the top of the git work tree that a folder is in; the folder itself if there is none.

    Args:
        folder: a real path, without links.
    """
    return Path(folders.list_enclosing_folders(folder)[-1])


def find_paths(folder: Path, pattern: str) -> list[Path]:
    """Return the paths below a folder that match a pattern and may be accessed, sorted.

    Args:
        folder: the folder to search.
        pattern: a glob with `*`, `?` and `[...]`; hidden names match too.
    """
    # Not `Path.glob`: after an entry that it may not access it skips all that follow.
    names = glob.iglob(pattern, root_dir=folder, include_hidden=True)
    return sorted(folder / name for name in names)


def iter_files(folder: StrPath) -> Iterator[str]:
    """Yield the paths of all files below a folder, links to folders not followed."""
    for above, _, names in os.walk(folder):
        yield from (os.path.join(above, name) for name in names)


def read_bytes(path: StrPath, limit: int = SOURCE_LIMIT) -> bytes:
    """Return a file's first bytes, `limit` at most; empty if it cannot be read or is not a file."""
    with contextlib.suppress(OSError, ValueError):
        if is_file(path):  # opening a pipe would block until somebody writes to it
            with open(path, "rb") as file:
                return file.read(limit)
    return b""


def read_whole_file(path: StrPath) -> bytes | None:
    """Return the content of a file; None if it cannot be read or is not a file."""
    with contextlib.suppress(OSError, ValueError):
        if is_file(path):
            return Path(path).read_bytes()
    return None


def read_text(path: StrPath, limit: int = SOURCE_LIMIT) -> str:
    """Return a file's first bytes as text, see `read_bytes`; bytes that are not UTF-8 replaced."""
    return read_bytes(path, limit).decode("utf-8", "replace")


def write_file(
    path: Path,
    data: bytes,
    mode: int | None = None,
    *,
    durable: bool = False,
    alone: bool = False,
) -> None:
    """Write a whole file or nothing, and create its folder if it is missing.

    A reader sees the old file or the new one. A failure leaves no temporary file behind.

    Args:
        path: the file; an existing one is replaced, and a link is replaced and not followed.
        data: its content.
        mode: its permissions; those that the umask allows if None.
        durable: whether the file must survive a power failure right after the return.
        alone: whether nobody else can be writing this file. Then its temporary file has a fixed
            name, and one that was left by a killed process is removed.

    Raises:
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if alone:
        temporary = temporary_path(path)
        remove_path(temporary)
    else:
        temporary = path.parent / f".new-{secrets.token_hex(8)}"
    atomic.write_file(path, data, temporary, mode, durable=durable)


def temporary_path(path: Path) -> Path:
    """Return the path of the temporary file for a file that nobody else writes.

    The name is short, because the file's own name may have the greatest length allowed.
    """
    return path.parent / f".new-{folders.hash_path(path.name)}"


def remove_path(path: Path) -> None:
    """Remove a file, or a folder with its content, if it exists.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError):  # of a folder: on Linux, on macOS
        if not path.is_dir():
            raise
        shutil.rmtree(path)
