"""Find what is on disk where a restore is to write a file that the present snapshot lacks.

A snapshot does not contain what git ignores, what tools generate, and the files of a repository
inside the project. Nothing but the disk shows that a write would replace them.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Iterator
from enum import Enum, auto
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.workspace.modes import iter_parents
from orchestrator.workspace.trees import EXECUTABLE, Content

_LINK: Final = b"120000"
_CHUNK: Final = 1 << 20
_SHA256_DIGITS: Final = 64


class DiskState(Enum):
    """What a write to a path would do to what is on disk."""

    FREE = auto()
    """It loses nothing."""
    DONE = auto()
    """It changes nothing: the file is there, as an interrupted restore leaves it."""
    OTHER = auto()
    """It replaces a file or link of which no snapshot has a copy."""
    BLOCKED = auto()
    """It is impossible: a folder above the path is a file or link, or the path is a full folder."""


def inspect_disk(
    project: Path, path: bytes, wanted: Content, removed: Collection[bytes] = ()
) -> DiskState:
    """Return what a write to a path would do.

    Args:
        project: the project's folder.
        path: a file that the present snapshot lacks.
        wanted: what is to be written.
        removed: the files that are removed before.
    """
    for folder in reversed(list(iter_parents(path))):
        full = project / os.fsdecode(folder)
        if folder in removed or not os.path.lexists(full) or files.is_special(full):
            return DiskState.FREE  # pipes and sockets have no content
        if full.is_symlink() or not full.is_dir():
            return DiskState.BLOCKED
    return _inspect_path(project, path, wanted, removed)


def _inspect_path(
    project: Path, path: bytes, wanted: Content, removed: Collection[bytes]
) -> DiskState:
    full = project / os.fsdecode(path)
    try:
        status = full.lstat()
    except OSError:  # if its folder cannot be entered, this is done again once it can
        return DiskState.FREE
    if stat.S_ISDIR(status.st_mode):
        inside = (os.fsencode(each.relative_to(project)) for each in _iter_files(full))
        return DiskState.FREE if all(each in removed for each in inside) else DiskState.BLOCKED
    is_link = stat.S_ISLNK(status.st_mode)
    if not (is_link or stat.S_ISREG(status.st_mode)):
        return DiskState.FREE
    try:
        is_same = is_link == (wanted.mode == _LINK) and _hash_file(full, wanted.oid) == wanted.oid
    except OSError:
        is_same = False
    if not is_same:
        return DiskState.OTHER
    is_executable = bool(status.st_mode & stat.S_IXUSR)
    is_done = is_link or is_executable == (wanted.mode == EXECUTABLE)
    return DiskState.DONE if is_done else DiskState.FREE


def _iter_files(folder: Path) -> Iterator[Path]:
    """Yield the files and links in a folder at any depth, without pipes and sockets."""
    for above, folders, names in os.walk(folder):
        links = [name for name in folders if files.is_link(Path(above, name))]
        for name in (*links, *names):
            if not files.is_special(full := Path(above, name)):
                yield full


def _hash_file(full: Path, like: bytes) -> bytes:
    """Return git's object id of a file or link, by the algorithm of another id.

    Raises:
        OSError: it cannot be read.
    """
    algorithm = "sha256" if len(like) == _SHA256_DIGITS else "sha1"
    digest = hashlib.new(algorithm, usedforsecurity=False)
    if full.is_symlink():
        target = os.fsencode(full.readlink())
        digest.update(b"blob %d\0%s" % (len(target), target))
        return digest.hexdigest().encode("ascii")
    with full.open("rb") as file:
        digest.update(b"blob %d\0" % os.fstat(file.fileno()).st_size)
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest().encode("ascii")
