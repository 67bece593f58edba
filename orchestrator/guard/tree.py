"""Walks through a project's files, and takes their signatures.

The disk is looked at directly, and not through git: what git sees can be narrowed by a line in
.gitignore, and an environment's own files are never in a snapshot.
"""

import contextlib
import os
import re
import stat
from collections.abc import Collection, Iterator
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


def walk(
    project: Path,
    environments: Collection[str],
    entered: Collection[str] = (),
    closed: Collection[str] = (),
) -> Tree:
    """Return the project's files and links, without following links to folders.

    What we cannot look into, the suite cannot either.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline. A folder
            that came to look like one later is entered, but for its installed packages.
        entered: names of folders that are entered whatever they are called.
        closed: those of them that could not be read at the baseline.

    Raises:
        OSError: a folder of `entered` cannot be read any more.
    """
    found: Tree = {}
    folders = [""]
    while folders:
        folder = folders.pop()
        try:
            listed = list(_look_into(project / folder))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError:
            if folder in entered and folder not in closed:
                raise
            continue
        below = f"{folder}/" if folder else ""
        for base, at in listed:
            name = below + base
            if not stat.S_ISDIR(at.st_mode):
                found[name] = at
            elif name in entered or not (
                base in _NEVER_ENTERED
                or name in environments
                or (base in _PACKAGES and _SITE_FOLDER.search(name))
            ):
                folders.append(name)
    return found


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
