"""Where the workspace, its files and its locks are, and the user's own patterns."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH112, PTH114, PTH118, PTH123

import os

from orchestrator.platform.bom import split_bom
from orchestrator.platform.folders import find_config_folder, list_enclosing_folders
from orchestrator.storage.location import LOCKS, find_state_directory

LEARNINGS = ".learnings"
PENDING_ERRORS = f"{LEARNINGS}/.pending-errors.log"
PATTERNS = f"{LEARNINGS}/destructive.txt"
BUFFER = "memory/working-buffer.md"


def find_global_base() -> str:
    """Return the folder of the global workspace: Claude Code's configuration folder."""
    return find_config_folder(os.environ)


def find_local_base(project: str) -> str | None:
    """Return the folder of the project's workspace; None if it has none.

    It is `project` or a folder above it, up to the top of its git work tree. A `.learnings` that
    is a symbolic link is ignored: a repository could make us write to any folder with it.
    """
    project = os.path.realpath(project)
    for folder in list_enclosing_folders(project):
        path = os.path.join(folder, LEARNINGS)
        if os.path.isdir(path) and not os.path.islink(path):
            return folder
    return None


def find_base(project: str) -> str | None:
    """Return the folder of the workspace of a session in `project`: the project's, or the global.

    None if there is neither.
    """
    if local := find_local_base(project):
        return local
    base = find_global_base()
    return os.path.realpath(base) if os.path.isdir(os.path.join(base, LEARNINGS)) else None


def lock_path(base: str) -> str:
    """Return the path of a workspace's lock, in the state directory.

    Its name is a checksum and no hash, since `hashlib` is slow to import. Two workspaces with the
    same checksum wait for each other now and then, which does no harm.
    """
    return os.path.join(find_state_directory(), LOCKS, f"learnings-{_compute_checksum(base)}.lock")


def buffer_lock_path(base: str) -> str:
    """Return the path of the lock of a workspace's buffer.

    Hooks take only this one: nobody holds it for long.
    """
    return os.path.join(find_state_directory(), LOCKS, f"buffer-{_compute_checksum(base)}.lock")


def _compute_checksum(base: str) -> str:
    import zlib  # most hooks need no lock

    return f"{zlib.crc32(os.fsencode(os.path.realpath(base))):08x}"


def read_patterns(path: str) -> tuple[str, ...]:
    """Return the user's own patterns; none if the file does not exist.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in split_bom(file.read(65536))[1].splitlines()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(line for line in lines if line and not line.startswith("#"))
