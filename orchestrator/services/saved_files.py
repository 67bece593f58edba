"""Find what keeps the files that an undo has saved from being copied into the project again."""

from collections.abc import Collection
from dataclasses import dataclass

from orchestrator.workspace.modes import iter_parents


@dataclass(frozen=True)
class Obstacles:
    """What an undo created where a saved file needs a folder, or where it was itself.

    Args:
        files: files and links, to be removed first.
        folders: folders that are empty then, the inner ones first.
    """

    files: tuple[bytes, ...] = ()
    folders: tuple[bytes, ...] = ()


def find_obstacles(
    saved: Collection[bytes], created: Collection[bytes], folders: Collection[bytes]
) -> Obstacles:
    """Return what has to be removed before saved files can be copied into the project.

    Args:
        saved: the files that were saved.
        created: the files that the undo created.
        folders: the empty folders that the undo created.
    """
    places = frozenset(saved)
    needed = {folder for path in places for folder in iter_parents(path)}

    def is_inside(path: bytes) -> bool:
        return any(folder in places for folder in iter_parents(path))

    files = [path for path in created if path in needed or is_inside(path)]
    above = {folder for path in (*files, *folders) for folder in iter_parents(path)}
    taken = [path for path in above.union(folders) if path in places or is_inside(path)]
    return Obstacles(tuple(sorted(files)), tuple(sorted(taken, reverse=True)))
