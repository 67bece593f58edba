"""Looks at files, reads them, and writes them whole.

A place that this user may not look into is an empty one here. pathlib raises an error instead
(until Python 3.14), where a folder on somebody's PATH, or above the project, belongs to another
user. That such a place is empty for programs too is not said: one that may be entered and not
listed (x without r) gives its files to whoever knows their names, as Python's import does. What a
project hides in this way, the guard opens.
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
"""Bytes that are read of a file which people write: code, configuration, a script."""


def exists(path: StrPath) -> bool:
    """Return whether something is at a path, links followed, as far as this user may look."""
    return os.path.exists(path)


def is_file(path: StrPath) -> bool:
    """Return whether a file is at a path, links followed, as far as this user may look."""
    return os.path.isfile(path)


def is_folder(path: StrPath | os.DirEntry[str]) -> bool:
    """Return whether a folder is at a path, links followed, as far as this user may look."""
    if isinstance(path, os.DirEntry):  # which knows it already, unless it is a link
        with contextlib.suppress(OSError):
            return path.is_dir()
        return False
    return os.path.isdir(path)


def is_real_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry of a folder is a folder itself, and no link to one."""
    try:  # asked of each file of a project: `suppress` would take five times as long
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def is_link(path: StrPath) -> bool:
    """Return whether a link is at a path, as far as this user may look."""
    return os.path.islink(path)


def is_special(path: StrPath) -> bool:
    """Return whether a pipe, a socket or a device is at a path, which holds nothing to keep."""
    try:
        mode = os.lstat(path).st_mode
    except (OSError, ValueError):
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISLNK(mode) or stat.S_ISDIR(mode))


def is_closed(path: StrPath) -> bool:
    """Return whether this user may not look at a path, or into it where it is a folder."""
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
    """Return whether this user may enter a folder, also one that may not be listed."""
    try:
        os.lstat(os.path.join(folder, os.curdir))
    except (OSError, ValueError):
        return False
    return True


def open_folder(folder: Path) -> bool:
    """Let a folder's owner list, enter and write it; return whether that is ours to do."""
    try:
        folder.chmod(stat.S_IMODE(folder.stat().st_mode) | stat.S_IRWXU)
    except OSError:
        return False
    return True


def list_folder(folder: StrPath) -> list[os.DirEntry[str]]:
    """Return what is in a folder; nothing for one that this user may not list, or that is none."""
    with contextlib.suppress(OSError, ValueError):
        return list(os.scandir(folder))
    return []


def list_enclosing_folders(folder: Path) -> list[Path]:
    """Return a folder and those above it, as `folders.list_up_to_git_top`."""
    return [Path(each) for each in folders.list_enclosing_folders(folder)]


def find_git_top(folder: Path) -> Path:
    """Return the top of the git work tree that a folder is in; itself if it is in none.

    Args:
        folder: without links.
    """
    return Path(folders.list_enclosing_folders(folder)[-1])


def find_paths(folder: Path, pattern: str) -> list[Path]:
    """Return what is below a folder by a pattern, in order, as far as this user may look.

    Args:
        folder: where to look.
        pattern: of names, with `*`, `?` and `[...]`; hidden ones match too.
    """
    # `Path.glob` leaves out all that comes behind an entry that it may not look at.
    names = glob.iglob(pattern, root_dir=folder, include_hidden=True)
    return sorted(folder / name for name in names)


def iter_files(folder: StrPath) -> Iterator[str]:
    """Yield the paths of all files below a folder, links to folders not followed."""
    for above, _, names in os.walk(folder):
        yield from (os.path.join(above, name) for name in names)


def read_bytes(path: StrPath, limit: int = SOURCE_LIMIT) -> bytes:
    """Return a file's first bytes, `limit` at most; none of what cannot be read, or is no file."""
    with contextlib.suppress(OSError, ValueError):
        if is_file(path):  # a pipe would wait for its writer
            with open(path, "rb") as file:
                return file.read(limit)
    return b""


def read_whole_file(path: StrPath) -> bytes | None:
    """Return all that a file holds; None of what cannot be read, or is no file."""
    with contextlib.suppress(OSError, ValueError):
        if is_file(path):
            return Path(path).read_bytes()
    return None


def read_text(path: StrPath, limit: int = SOURCE_LIMIT) -> str:
    """Return the text of a file's first bytes, as `read_bytes`; what is not UTF-8 is replaced."""
    return read_bytes(path, limit).decode("utf-8", "replace")


def write_file(
    path: Path,
    data: bytes,
    mode: int | None = None,
    *,
    durable: bool = False,
    alone: bool = False,
) -> None:
    """Write a file whole or not at all, and make its folder if that is missing.

    Whoever reads while it is written sees the old file. Nothing else is left behind by a failure.

    Args:
        path: the file; what is there is replaced, and a link is not followed.
        data: its content.
        mode: its permissions; what the umask leaves if None.
        durable: whether it has to outlive a power cut that follows at once.
        alone: whether nobody else writes this file now. Then what a killed process has left of it
            has a known name, and is removed.

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
    """Return where a file is written that nobody else writes, before it is moved into place.

    The name is short, because the file's own may be as long as a name can be.
    """
    return path.parent / f".new-{folders.hash_path(path.name)}"


def remove_path(path: Path) -> None:
    """Remove what is at a path, a folder with all that is in it, if there is anything.

    Raises:
        OSError: it cannot be removed.
    """
    try:
        path.unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError):  # of a folder, by the system
        if not path.is_dir():
            raise
        shutil.rmtree(path)
