"""List and restore folders without files, of which git knows nothing."""

import contextlib
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
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


@dataclass(frozen=True)
class Folders:
    """The folders of a project at one moment.

    Args:
        empty: those that contain no file at any depth.
        used: the others.
    """

    empty: FolderModes
    used: frozenset[bytes]

    @property
    def paths(self) -> frozenset[bytes]:
        """All of them."""
        return self.used.union(self.empty)


@dataclass(frozen=True)
class FolderChanges:
    """What a run did to folders.

    Args:
        added: those that it created. One with files is empty if the restore was killed after it had
            removed them.
        removed: the empty ones that it removed or put files in, with their modes.
    """

    added: frozenset[bytes] = frozenset()
    removed: FolderModes = field(default_factory=dict)


@dataclass(frozen=True)
class FolderPlan:
    """What a restore does with empty folders, the inner ones after the outer ones.

    Args:
        created: those that it creates.
        removed: those that it removes.
    """

    created: Sequence[bytes] = ()
    removed: Sequence[bytes] = ()


def combine_changes(spans: Iterable[tuple[Folders, Folders]]) -> FolderChanges:
    """Return what a run did, from the folders that each of its processes found and left."""
    first: Folders | None = None
    added, removed = set[bytes](), dict[bytes, int]()
    for start, end in spans:
        first = first or start
        added |= end.paths - start.paths - first.paths
        gone = start.empty.keys() - end.empty.keys()
        removed |= {path: first.empty[path] for path in gone & first.empty.keys()}
    return FolderChanges(frozenset(added), removed)


def plan_folders(
    project: Path,
    changes: FolderChanges,
    present: FolderModes,
    used_then: Collection[bytes],
    gone: Collection[bytes],
) -> FolderPlan:
    """Plan to revert what a run did to empty folders, except where somebody else uses them.

    Args:
        project: the project's folder.
        changes: what the run did.
        present: the empty folders at present.
        used_then: the folders that will contain a file when the files are restored.
        gone: the files that will be gone then.
    """
    removed = (changes.added & present.keys()).difference(used_then)
    needed = {above for path in present.keys() - removed for above in iter_parents(path)}
    created: list[bytes] = []
    for path in sorted(changes.removed.keys() - set(used_then)):
        is_taken = path not in gone and os.path.lexists(_resolve(project, path))
        if is_taken or not _is_inside(project, path):
            continue
        above = path.rpartition(b"/")[0]
        is_there = not above or _resolve(project, above).is_dir()
        if is_there or above in used_then or above in created:
            created.append(path)
    return FolderPlan(
        created, sorted(path for path in removed - needed if _is_inside(project, path))
    )


def remove_folders(project: Path, paths: Sequence[bytes]) -> None:
    """Remove planned folders, if they are still empty."""
    for path in reversed(paths):
        if _is_inside(project, path):
            with contextlib.suppress(OSError):  # it is gone, or somebody has put something there
                _resolve(project, path).rmdir()


def create_folders(project: Path, removed: FolderModes) -> None:
    """Create the empty folders again that a run removed or put files in.

    Args:
        project: the project's folder.
        removed: the folders, with their modes; existing ones are left as they are.
    """
    for path, mode in sorted(removed.items()):
        full = _resolve(project, path)
        if os.path.lexists(full) or not _is_inside(project, path):
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
