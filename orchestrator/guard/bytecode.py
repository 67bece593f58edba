"""Removes the cached bytecode of a project's own files before a verdict.

A cache made by hand runs in place of its source, and Python tells a stale one by size and whole
seconds only. PYTHONPYCACHEPREFIX would keep Python away from all caches, also from those of the
installed packages: each run of the suite would compile the whole environment anew.
"""

import errno
import os
from collections.abc import Collection
from importlib.util import MAGIC_NUMBER, source_hash
from pathlib import Path
from typing import Final

from orchestrator.platform import files

_NEVER_ENTERED: Final = frozenset({".git", "node_modules", ".tox", ".nox"})
_PERMISSION_ERRORS: Final = (errno.EACCES, errno.EPERM, errno.EROFS)
_HASHED: Final = 1
_CHECKED: Final = 2
"""Flags in the header of a cache, see PEP 552."""


def drop_project_bytecode(project: Path, environments: Collection[str]) -> list[str]:
    """Remove the bytecode of all files of a project, pytest's own included.

    A folder of caches that we own is opened and made writable. In one of another user, which the
    agent could not write to either, a cache stays. Other folders are opened by a walk, see
    `ClosedFolders`.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline, whose
            bytecode stays, as in those of tox and nox.

    Returns:
        The caches that could not be removed, and that Python would run though their source is
        another.

    Raises:
        OSError: one cannot be removed for another reason.
    """
    wrong = []
    folders = [""]
    while folders:
        folder = folders.pop()
        below = f"{folder}/" if folder else ""
        inside_cache = folder.rpartition("/")[2] == "__pycache__"
        for item in _list_or_open(project / folder, open_it=inside_cache):
            name = below + item.name
            if files.is_real_folder(item):
                if item.name not in _NEVER_ENTERED and name not in environments:
                    folders.append(name)
            elif inside_cache and item.name.endswith(".pyc"):
                path = Path(item.path)
                if not _remove_file(path) and _is_mismatched_cache(path):
                    wrong.append(name)
    return wrong


def _list_or_open(folder: Path, *, open_it: bool) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except PermissionError:  # Python finds a file by its name, in what cannot be listed too
        return files.list_folder(folder) if open_it and files.open_folder(folder) else []
    except OSError:
        return []


def _remove_file(path: Path) -> bool:
    """Remove a file; return whether that is allowed."""
    for attempt in range(2):
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            if error.errno not in _PERMISSION_ERRORS:
                raise
            if attempt or not files.open_folder(path.parent):
                break
        else:
            return True
    return False


def _is_mismatched_cache(cache: Path) -> bool:
    """Return whether Python would take a cache for its source's, though it is not.

    Of those with a time in them it compares time and size itself, and of checked ones the hash;
    what differs is not run. An unchecked one of another interpreter cannot be compared here.
    """
    source = cache.parent.parent / f"{cache.name.partition('.')[0]}.py"
    header, code = files.read_bytes(cache, 16), files.read_whole_file(source)
    if not header or code is None:
        return False  # without one of the two nothing of it runs
    flags = int.from_bytes(header[4:8], "little")
    if not flags & _HASHED or flags & _CHECKED:
        return False
    return header[:4] != MAGIC_NUMBER or header[8:16] != source_hash(code)
