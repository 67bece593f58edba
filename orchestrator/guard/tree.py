"""Walks through a project's files, and takes their signatures.

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
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator import files

Tree = dict[str, os.stat_result]
"""Files and links by their name, each with what `lstat` said of it."""

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

    def open(self, project: Path, name: str) -> bool:
        """Open a folder of our own for its owner; return whether it could be opened."""
        if name in self.at_baseline:
            return False
        path = project / name
        if files.open_folder(path):
            self.opened.add(name)
            return True
        if files.is_entered(path):
            self.hidden.add(name)
        return False


def walk(
    project: Path,
    environments: Collection[str],
    entered: Collection[str] = (),
    closed: ClosedFolders | None = None,
) -> Tree:
    """Return the project's files and links, without following links to folders.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline. A folder
            that came to look like one later is entered, but for its installed packages.
        entered: names of folders that are entered whatever they are called.
        closed: says which folders were closed at the baseline; others are opened. None is opened
            without it.

    Raises:
        OSError: a folder of `entered` cannot be read any more.
    """
    found: Tree = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            listed = _list_or_open(project, folder, closed)
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            if folder in entered and not (closed and folder in closed.at_baseline):
                raise
            continue
        below = f"{folder}/" if folder else ""
        for base, at in listed:
            name = below + base
            if not stat.S_ISDIR(at.st_mode):
                found[name] = at
            elif name in entered or not _is_left_out(name, environments):
                folders.append(name)
    return found


def find_closed(
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
                name in entered or not _is_left_out(name, environments)
            ):
                folders.append(name)
    return frozenset(found)


def sign_closed(folder: Path) -> str:
    """Return the signature of a closed folder that this user may write; empty for another.

    It tells what was added and removed. What is in the folder, or below, nobody sees.
    """
    with contextlib.suppress(OSError):
        at = os.lstat(folder)
        if at.st_uid == os.geteuid() or os.access(folder, os.W_OK | os.X_OK):
            return signature(at)
    return ""


def _is_left_out(name: str, environments: Collection[str]) -> bool:
    base = name.rpartition("/")[2]
    installed = base in _PACKAGES and _SITE_FOLDER.search(name) is not None
    return base in _NEVER_ENTERED or name in environments or installed


def _list_or_open(
    project: Path, folder: str, closed: ClosedFolders | None
) -> list[tuple[str, os.stat_result]]:
    try:
        return list(_look_into(project / folder))
    except PermissionError:
        if not (closed and closed.open(project, folder)):
            raise
        return list(_look_into(project / folder))


def _look_into(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Yield the names in a folder, each with what `lstat` says of it."""
    for item in list(os.scandir(folder)):
        with contextlib.suppress(FileNotFoundError):  # removed since
            yield item.name, item.stat(follow_symlinks=False)


def environments_in(project: Path) -> frozenset[str]:
    """Return the folders of a project that are Python environments now."""
    return frozenset(_environments(project))


def signature(at: os.stat_result) -> str:
    """Return what stays the same as long as a file's bytes do.

    Size, times and inode: no program can choose the time of a file's last status change.
    """
    return f"{at.st_mode:o} {at.st_size} {at.st_mtime_ns} {at.st_ctime_ns} {at.st_ino}"


def signature_at(path: str | Path) -> str:
    """Return the signature of what is at a path; empty where there is nothing."""
    try:
        return signature(os.lstat(path))
    except (OSError, ValueError):
        return ""


def _environments(project: Path) -> Iterator[str]:
    folders = [""]
    while folders:
        folder = folders.pop()
        listed = files.list_folder(project / folder)
        if folder and _looks_like_environment(listed):
            yield folder
            continue
        folders += [
            f"{folder}/{item.name}" if folder else item.name
            for item in listed
            if files.is_real_folder(item) and item.name not in _NEVER_ENTERED
        ]


def _looks_like_environment(listed: Collection[os.DirEntry[str]]) -> bool:
    names = {item.name: item for item in listed}
    config = names.get("pyvenv.cfg")
    if config is None or not {"bin", "Scripts"} & names.keys():
        return False
    with contextlib.suppress(OSError):
        at = config.stat(follow_symlinks=False)
        return stat.S_ISREG(at.st_mode) and at.st_size > 0
    return False
