"""Removes the cached bytecode of a project's own files before a verdict.

A hand-made cache runs in place of its source: Python recognizes a stale one only by the source's
size and its modification time in whole seconds, which anybody can set. PYTHONPYCACHEPREFIX would
keep Python away from all caches, those of installed packages included: each run of the suite would
compile the whole environment again.
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

    A folder of caches that this user owns is made readable and writable. In another user's folder,
    where the agent could not write either, a cache is left. For other folders see `ClosedFolders`.

    Args:
        project: the project's folder.
        environments: names of folders that were Python environments at the baseline, whose
            bytecode is left, like that in the environments of tox and nox.

    Returns:
        The caches that could not be removed, and that Python would run although their source
        differs.

    Raises:
        OSError: a cache cannot be removed for a reason other than its owner.
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
            elif inside_cache and item.name.endswith(".pyc") and _is_left(Path(item.path)):
                wrong.append(name)
    return wrong


def _is_left(cache: Path) -> bool:
    """Remove a cache; return whether it is still there and Python would run it by mistake."""
    return not _remove_file(cache) and _is_mismatched_cache(cache)


def _list_or_open(folder: Path, *, open_it: bool) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except PermissionError:  # Python opens files by name, also in a folder that cannot be listed
        return files.list_folder(folder) if open_it and files.open_folder(folder) else []
    except OSError:
        return []


def _remove_file(path: Path) -> bool:
    """Remove a file; return whether this user may."""
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
    """Return whether Python would run a cache whose content belongs to another source.

    PEP 552 has three kinds. Python compares the time and size in a timestamp-based cache, and the
    hash in a checked one, and ignores what differs. It runs an unchecked hash-based cache without a
    look at the source; such a cache of another interpreter cannot be compared here.
    """
    source = cache.parent.parent / f"{cache.name.partition('.')[0]}.py"
    header, code = files.read_bytes(cache, 16), files.read_whole_file(source)
    if not header or code is None:
        return False  # without cache or source, nothing of it runs
    flags = int.from_bytes(header[4:8], "little")
    if not flags & _HASHED or flags & _CHECKED:
        return False
    return header[:4] != MAGIC_NUMBER or header[8:16] != source_hash(code)
