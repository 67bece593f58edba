"""Walks through a project's files, and records their states.

The files are read from the disk and not through git: a line in .gitignore can hide files from git,
and the files of an environment are never in a snapshot.

A folder with x and without r may be entered and not listed. It hides its files from a walk, but
Python still imports from it, and code can list it after a `chmod`. So a walk opens folders that
were closed after the baseline.
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
"""Mode, size, times and inode of a file, which do not change while its content does not.

A program can restore the size and the modification time of a file that it edited, but not the
status change time (ctime), which only the kernel sets. The values are packed, because a project may
have 100,000 files, and a run stores several trees.
"""

Tree = dict[str, FileState]
"""States of files and links, by name."""

_STATE: Final = Struct("<IQQQQ")
STATE_SIZE: Final = _STATE.size
_CHANGE_TIME: Final = slice(STATE_SIZE - 8, STATE_SIZE)
_WORD: Final = (1 << 64) - 1

T = TypeVar("T")

NEVER_ENTERED: Final = frozenset(
    {
        *(".git", "node_modules", "__pycache__", ".tox", ".nox", ".cache"),
        *(".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis"),
    }
)
"""Names of folders that are not walked."""

_PACKAGES: Final = ("site-packages", "dist-packages")
_SITE_FOLDER: Final = re.compile(r"(?:^|/)lib(?:64)?/python3[\d.]*t?/[^/]+$")


@dataclass
class ClosedFolders:
    """The folders of a project that cannot be listed, and the results of opening them.

    Args:
        at_baseline: names of those that were closed at the baseline; they are left closed.
        opened: names of those that were opened since the set was last cleared.
        hidden: names of those that another user owns, and that this user may enter.
    """

    at_baseline: Collection[str]
    opened: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    def open_folder(self, project: Path, name: str) -> bool:
        """Give the owner access to a folder of this user; return whether that worked."""
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
    """Return the states of the project's files and links, without following links to folders.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline. A folder
            that looks like one only later is walked, without its installed packages: an agent can
            create an empty `pyvenv.cfg`.
        entered: names of folders that are walked whatever they are called.
        closed: the folders that were closed at the baseline; other closed folders are opened.
            Without it no folder is opened.
        like: an earlier tree. Equal states share its objects, which saves memory.

    Raises:
        OSError: a folder of `entered` can no longer be read.
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
    """Return the files with one of the wanted names, as `walk_tree` would find them.

    Opens the same folders and raises the same errors, and is much faster: it calls no `lstat`.
    """
    visited = _iter_folders(project, environments, entered, closed, partial(_read_names, wanted))
    return [below + base for below, names in visited for base in names]


def find_closed_folders(
    project: Path, environments: Collection[str], entered: Collection[str] = ()
) -> frozenset[str]:
    """Return the folders that a walk with the same arguments cannot list."""
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
    """Return the state of a closed folder that this user may write to; empty for any other.

    It shows that files were added or removed. Changes of files in the folder do not show.
    """
    with contextlib.suppress(OSError):
        at = os.lstat(folder)
        if at.st_uid == os.geteuid() or os.access(folder, os.W_OK | os.X_OK):
            return pack_state(at).hex()
    return ""


def _is_excluded(name: str, environments: Collection[str]) -> bool:
    base = name.rpartition("/")[2]
    installed = base in _PACKAGES and _SITE_FOLDER.search(name) is not None
    return base in NEVER_ENTERED or name in environments or installed


def _iter_folders(
    project: Path,
    environments: Collection[str],
    entered: Collection[str],
    closed: ClosedFolders | None,
    read: Callable[[int], tuple[T, list[str]]],
) -> Iterator[tuple[str, T]]:
    """Yield the prefix of the names in each folder, and what `read` returned for the folder.

    `read` gets the descriptor of an open folder, and returns a result and the names of the folders
    in it. For the other arguments and errors see `walk_tree`.
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
        # A folder that may be listed and not entered (r without x) counts as closed, too.
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
            except FileNotFoundError:  # removed since it was listed
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
    """Return the names of the project's folders that are Python environments."""
    return frozenset(_iter_environments(project))


def pack_state(at: os.stat_result) -> FileState:
    """Return the state of a file from a result of `lstat`."""
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
    """Return the part of a state that does not change with permissions and owner of a file."""
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
    """Return the state of a file, link or folder as text; empty if there is none."""
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
            if files.is_real_folder(item) and item.name not in NEVER_ENTERED
        ]


def _is_environment(listed: Collection[os.DirEntry[str]]) -> bool:
    """Return whether a folder is a virtual environment, and not one with an empty pyvenv.cfg."""
    names = {item.name: item for item in listed}
    config = names.get("pyvenv.cfg")
    if config is None or not {"bin", "Scripts"} & names.keys():
        return False
    with contextlib.suppress(OSError):
        at = config.stat(follow_symlinks=False)
        return stat.S_ISREG(at.st_mode) and at.st_size > 0
    return False
