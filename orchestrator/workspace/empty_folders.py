"""List and restore folders without files, of which git knows nothing."""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from orchestrator.platform import files
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.workspace.git import Git
from orchestrator.workspace.modes import iter_parents

FolderModes = Mapping[bytes, int]
"""The modes of folders without files, by their paths below the project."""


def list_empty_folders(git: Git) -> FolderModes:
    """Return the folders of a project that contain no file, also not in folders below.

    Those that git ignores are left out, and so are nested repositories.

    Args:
        git: the private git in the project's folder, right after a snapshot.

    Raises:
        InfrastructureError: git failed.
    """
    command = ("ls-files", "-z", "--others", "--directory", "--exclude-standard")
    found: dict[bytes, int] = {}
    for path in git.read_output(*command).split(b"\0")[:-1]:
        if path.endswith(b"/") and not _contains_repository(git.folder, path):
            found |= dict(_iter_empty_folders(git.folder, path.rstrip(b"/")))
    return found


def remove_added_folders(
    project: Path, before: FolderModes, after: FolderModes, tree_folders: frozenset[bytes]
) -> None:
    """Remove the folders that a run has created, if they are still empty.

    Args:
        project: the project's folder.
        before: its empty folders before the run.
        after: its empty folders after the run.
        tree_folders: the folders that contained a file before the run.
    """
    # The inner ones first.
    for path in sorted(after.keys() - before.keys() - tree_folders, reverse=True):
        if _is_inside(project, path):
            with contextlib.suppress(OSError):  # it is gone, or somebody has put something there
                _resolve(project, path).rmdir()


def restore_empty_folders(project: Path, before: FolderModes, after: FolderModes) -> None:
    """Create the empty folders that existed before a run again.

    Args:
        project: the project's folder.
        before: its empty folders before the run, with their modes.
        after: its empty folders after the run; those that a person has removed since stay away.
    """
    for path, mode in sorted(before.items()):
        full = _resolve(project, path)
        if path in after or os.path.lexists(full) or not _is_inside(project, path):
            continue
        with contextlib.suppress(OSError):  # a folder above it is gone, or may not be written
            full.mkdir()
            full.chmod(mode)


def _contains_repository(project: Path, path: bytes) -> bool:
    return os.path.lexists(_resolve(project, path) / GIT_FOLDER)


def _iter_empty_folders(project: Path, top: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield the folders at and below a path that contain no file at any depth, with their modes."""
    start = os.fsencode(project)
    filled, found = set[bytes](), list[bytes]()
    for above, folders, names in os.walk(os.path.join(start, top)):  # noqa: PTH118 -- bytes
        path = above[len(start) + 1 :]
        found.append(path)
        links = any(files.is_link(os.fsdecode(os.path.join(above, name))) for name in folders)  # noqa: PTH118
        if names or links:
            filled |= {path, *iter_parents(path)}
    for path in found:
        if path not in filled:
            with contextlib.suppress(OSError):
                yield path, stat.S_IMODE(os.lstat(os.path.join(start, path)).st_mode)  # noqa: PTH118


def _is_inside(project: Path, path: bytes) -> bool:
    """Return whether no folder above a path is a link, which may lead out of the project."""
    return not any(files.is_link(_resolve(project, folder)) for folder in iter_parents(path))


def _resolve(project: Path, path: bytes) -> Path:
    return project / os.fsdecode(path)
