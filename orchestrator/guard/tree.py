"""Walks through a project's files, and takes their signatures.

The disk is looked at directly, and not through git: what git sees can be narrowed by a line in
.gitignore, and an environment's own files are never in a snapshot.
"""

import os
import re
import stat
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

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


def walk(project: Path, environments: Collection[str], entered: Collection[str] = ()) -> Tree:
    """Return the project's files and links, without following links to folders.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline. A folder
            that came to look like one later is entered, but for its installed packages.
        entered: names of folders that are entered whatever they are called.

    Raises:
        OSError: a folder of `entered` cannot be read.
    """
    found: Tree = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            listed = list(os.scandir(project / folder))
        except (PermissionError, FileNotFoundError):
            if folder in entered and (project / folder).is_dir():
                raise
            continue  # what we cannot look into, the suite cannot either
        below = f"{folder}/" if folder else ""
        for item in listed:
            name = below + item.name
            if not item.is_dir(follow_symlinks=False):
                found[name] = item.stat(follow_symlinks=False)
            elif name in entered or not (
                item.name in _NEVER_ENTERED
                or name in environments
                or (item.name in _PACKAGES and _SITE_FOLDER.search(name))
            ):
                folders.append(name)
    return found


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
        try:
            listed = list(os.scandir(project / folder))
        except OSError:
            continue
        if folder and _looks_like_environment(listed):
            yield folder
            continue
        folders += [
            f"{folder}/{item.name}" if folder else item.name
            for item in listed
            if item.is_dir(follow_symlinks=False) and item.name not in _NEVER_ENTERED
        ]


def _looks_like_environment(listed: Collection["os.DirEntry[str]"]) -> bool:
    names = {item.name: item for item in listed}
    config = names.get("pyvenv.cfg")
    if config is None or not {"bin", "Scripts"} & names.keys():
        return False
    at = config.stat(follow_symlinks=False)
    return stat.S_ISREG(at.st_mode) and at.st_size > 0
