"""Walks through a project's files, and takes their states.

The disk is looked at directly, and not through git: what git sees can be narrowed by a line in
.gitignore, and an environment's own files are never in a snapshot.

A folder that may be entered and not listed (x without r) hides its files from a walk, but Python
imports from it all the same, and code may list a folder of its own user after a `chmod`. So a walk
opens what was closed since the baseline.
"""

import contextlib
import os
import re
import stat
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from struct import Struct
from typing import Final, NewType, TypeVar

from orchestrator.platform import files

FileState = NewType("FileState", bytes)
"""What stays the same as long as a file's bytes do: mode, size, times and inode.

No program can choose the time of a file's last status change. It is packed, because a project may
have 100,000 files, and is remembered several times in a run.
"""

Tree = dict[str, FileState]
"""Files and links by their name, each with its state."""

_STATE: Final = Struct("<IQQQQ")
STATE_SIZE: Final = _STATE.size
_CHANGE_TIME: Final = slice(STATE_SIZE - 8, STATE_SIZE)
_WORD: Final = (1 << 64) - 1

T = TypeVar("T")

_NEVER_ENTERED: Final = frozenset(
    {
        *(".git", "node_modules", "__pycache__", ".tox", ".nox", ".cache"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
    }
)

_PACKAGES: Final = ("site-packages", "dist-packages")
_SITE_FOLDER: Final = re.compile(r"(?:^|/)lib(?:64)?/python3[\d.]*t?/[^/]+$")


@dataclass
class ClosedFolders:
    """The folders of a project that cannot be listed, and what became of them in walks.

    Args:
        at_baseline: names of those that were closed at the baseline; they stay as they are.
        opened: names of those that were opened since this was last cleared.
        hidden: names of those that another user owns, and that may be entered all the same.
    """

    at_baseline: Collection[str]
    opened: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    def open_folder(self, project: Path, name: str) -> bool:
        """Open a folder of our own for its owner; return whether it could be opened."""
        if name in self.at_baseline:
            return False
        path = project / name
        if files.open_folder(path):
            self.opened.add(name)
            return True
        if files.can_enter(path):
            self.hidden.add(name)
        return False


def walk_tree(
    project: Path,
    environments: Collection[str],
    entered: Collection[str] = (),
    closed: ClosedFolders | None = None,
    like: Mapping[str, FileState] | None = None,
) -> Tree:
    """Return the project's files and links, without following links to folders.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline. A folder
            that came to look like one later is entered, but for its installed packages.
        entered: names of folders that are entered whatever they are called.
        closed: says which folders were closed at the baseline; others are opened. None is opened
            without it.
        like: an earlier look. Of what is the same it gives its own object, which saves memory.

    Raises:
        OSError: a folder of `entered` cannot be read any more.
    """
    found: Tree = {}
    known = like or {}
    for below, listed in _iter_folders(project, environments, entered, closed, _read_states):
        for base, state in listed:
            name = sys.intern(below + base)
            was = known.get(name)
            found[name] = was if was == state else state
    return found


def find_named_files(
    wanted: Collection[str],
    project: Path,
    environments: Collection[str],
    entered: Collection[str] = (),
    closed: ClosedFolders | None = None,
) -> list[str]:
    """Return the files that are called one of the wanted names, as `walk` would find them.

    It opens the same folders and raises the same errors, and is much faster: no file is looked at.
    """
    visited = _iter_folders(project, environments, entered, closed, partial(_read_names, wanted))
    return [below + base for below, names in visited for base in names]


def find_closed_folders(
    project: Path, environments: Collection[str], entered: Collection[str] = ()
) -> frozenset[str]:
    """Return the folders that a walk with the same arguments cannot look into."""
    found = set()
    folders = [""]
    while folders:
        folder = folders.pop()
        if files.is_closed(project / folder):
            found.add(folder)
            continue
        for item in files.list_folder(project / folder):
            name = f"{folder}/{item.name}" if folder else item.name
            if files.is_real_folder(item) and (
                name in entered or not _is_excluded(name, environments)
            ):
                folders.append(name)
    return frozenset(found)


def read_closed_state(folder: Path) -> str:
    """Return the state of a closed folder that this user may write; empty for another.

    It tells what was added and removed. What is in the folder, or below, nobody sees.
    """
    with contextlib.suppress(OSError):
        at = os.lstat(folder)
        if at.st_uid == os.geteuid() or os.access(folder, os.W_OK | os.X_OK):
            return pack_state(at).hex()
    return ""


def _is_excluded(name: str, environments: Collection[str]) -> bool:
    base = name.rpartition("/")[2]
    installed = base in _PACKAGES and _SITE_FOLDER.search(name) is not None
    return base in _NEVER_ENTERED or name in environments or installed


def _iter_folders(
    project: Path,
    environments: Collection[str],
    entered: Collection[str],
    closed: ClosedFolders | None,
    read: Callable[[int], tuple[T, list[str]]],
) -> Iterator[tuple[str, T]]:
    """Yield what is read of each folder, with what the names of its files begin with.

    `read` returns what is wanted of an open folder, and the names of the folders in it; for the
    rest see `walk`.
    """
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            found, inner = _read_or_open(project, folder, closed, read)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            if folder in entered and not (closed and folder in closed.at_baseline):
                raise
            continue
        below = f"{folder}/" if folder else ""
        yield below, found
        for base in inner:
            name = below + base
            if name in entered or not _is_excluded(name, environments):
                folders.append(name)


def _read_or_open(
    project: Path,
    folder: str,
    closed: ClosedFolders | None,
    read: Callable[[int], tuple[T, list[str]]],
) -> tuple[T, list[str]]:
    try:
        return _read_folder(project / folder, read)
    except PermissionError:
        if not (closed and closed.open_folder(project, folder)):
            raise
        return _read_folder(project / folder, read)


def _read_folder(folder: Path, read: Callable[[int], tuple[T, list[str]]]) -> tuple[T, list[str]]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        # One that may be listed and not entered (r without x) is closed as well.
        os.stat(os.curdir, dir_fd=descriptor)
        return read(descriptor)
    finally:
        os.close(descriptor)


def _read_states(folder: int) -> tuple[list[tuple[str, FileState]], list[str]]:
    states, folders = [], []
    with os.scandir(folder) as items:
        for item in items:
            try:
                at = item.stat(follow_symlinks=False)
            except FileNotFoundError:  # removed since
                continue
            if stat.S_ISDIR(at.st_mode):
                folders.append(item.name)
            else:
                states.append((item.name, pack_state(at)))
    return states, folders


def _read_names(wanted: Collection[str], folder: int) -> tuple[list[str], list[str]]:
    found, folders = [], []
    with os.scandir(folder) as items:
        for item in items:
            if files.is_real_folder(item):
                folders.append(item.name)
            elif item.name in wanted:
                found.append(item.name)
    return found, folders


def find_environments(project: Path) -> frozenset[str]:
    """Return the folders of a project that are Python environments now."""
    return frozenset(_iter_environments(project))


def pack_state(at: os.stat_result) -> FileState:
    """Return the state of a file of which `lstat` said this."""
    # A time may lie beyond 64 bits of nanoseconds: file systems know the year 30000.
    return FileState(
        _STATE.pack(
            at.st_mode,
            at.st_size,
            at.st_mtime_ns & _WORD,
            at.st_ino,
            at.st_ctime_ns & _WORD,
        )
    )


def unpack_mode(state: FileState) -> int:
    """Return the type and the permissions of a file, as `st_mode` has them."""
    return int.from_bytes(state[:4], "little")


def unpack_size(state: FileState) -> int:
    """Return the size of a file in bytes."""
    return int.from_bytes(state[4:12], "little")


def unpack_stamp(state: FileState) -> tuple[int, bytes]:
    """Return what stays the same where only the permissions or the owner of a file change."""
    return stat.S_IFMT(unpack_mode(state)), state[4 : _CHANGE_TIME.start]


def read_content(path: Path, state: FileState) -> bytes:
    """Return the content of a file of this state, or the target of a link.

    Raises:
        OSError: it cannot be read.
    """
    if stat.S_ISLNK(unpack_mode(state)):
        return os.fsencode(path.readlink())
    return path.read_bytes()


def read_signature(path: str | Path) -> str:
    """Return the state of what is at a path, as text; empty where there is nothing."""
    try:
        return pack_state(os.lstat(path)).hex()
    except (OSError, ValueError):
        return ""


def _iter_environments(project: Path) -> Iterator[str]:
    folders = [""]
    while folders:
        folder = folders.pop()
        listed = files.list_folder(project / folder)
        if folder and _is_environment(listed):
            yield folder
            continue
        folders += [
            f"{folder}/{item.name}" if folder else item.name
            for item in listed
            if files.is_real_folder(item) and item.name not in _NEVER_ENTERED
        ]


def _is_environment(listed: Collection[os.DirEntry[str]]) -> bool:
    names = {item.name: item for item in listed}
    config = names.get("pyvenv.cfg")
    if config is None or not {"bin", "Scripts"} & names.keys():
        return False
    with contextlib.suppress(OSError):
        at = config.stat(follow_symlinks=False)
        return stat.S_ISREG(at.st_mode) and at.st_size > 0
    return False
