"""Where the workspace is, where our state is, and what the user added to what destroys."""

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
    """The folder of the global workspace: Claude Code's own configuration folder."""
    return find_config_folder(os.environ)


def find_local_base(project: str) -> str | None:
    """The folder of the project's workspace, if it has one.

    It is `project` or a folder above it up to the top of its git work tree. A `.learnings` that
    is a link does not count: a repository could point it anywhere, and we would write there.
    """
    project = os.path.realpath(project)
    for folder in list_enclosing_folders(project):
        path = os.path.join(folder, LEARNINGS)
        if os.path.isdir(path) and not os.path.islink(path):
            return folder
    return None


def find_base(project: str) -> str | None:
    """The folder of the workspace that a session in `project` writes to: its own, or the global."""
    if local := find_local_base(project):
        return local
    base = find_global_base()
    return os.path.realpath(base) if os.path.isdir(os.path.join(base, LEARNINGS)) else None


def lock_path(base: str) -> str:
    """The lock of a workspace, in the state directory.

    A checksum names it, since hashlib is slow to import. Two workspaces that share one lock wait
    for each other now and then; nothing else happens.
    """
    return os.path.join(find_state_directory(), LOCKS, f"learnings-{_compute_checksum(base)}.lock")


def buffer_lock_path(base: str) -> str:
    """The lock of a workspace's buffer, which hooks take: nobody holds it for long."""
    return os.path.join(find_state_directory(), LOCKS, f"buffer-{_compute_checksum(base)}.lock")


def _compute_checksum(base: str) -> str:
    import zlib  # the hook mostly needs no lock

    return f"{zlib.crc32(os.fsencode(os.path.realpath(base))):08x}"


def read_patterns(path: str) -> tuple[str, ...]:
    """The user's own patterns; none if there is no such file.

    Raises:
        OSError: it cannot be read.
    """
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = [line.strip() for line in split_bom(file.read(65536))[1].splitlines()]
    except (FileNotFoundError, NotADirectoryError):
        return ()
    return tuple(line for line in lines if line and not line.startswith("#"))
