"""Where the workspace is, where our state is, and the locks between hook and command line."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH103, PTH110, PTH111, PTH112, PTH114, PTH118, PTH120

import fcntl
import os
import time
import zlib

from orchestrator.storage.location import find_state_directory

LEARNINGS = ".learnings"
PENDING_ERRORS = f"{LEARNINGS}/.pending-errors.log"
PATTERNS = f"{LEARNINGS}/destructive.txt"
BUFFER = "memory/working-buffer.md"

_POLL_SECONDS = 0.005


def global_base() -> str:
    """The folder of the global workspace: Claude Code's own configuration folder."""
    return os.path.expanduser(os.environ.get("CLAUDE_CONFIG_DIR") or "~/.claude")


def local_base(project: str) -> str | None:
    """The folder of the project's workspace, if it has one.

    It is `project` or a folder above it up to the top of its git work tree. A `.learnings` that
    is a link does not count: a repository could point it anywhere, and we would write there.
    """
    project = os.path.realpath(project)
    for folder in _up_to_git_toplevel(project):
        path = os.path.join(folder, LEARNINGS)
        if os.path.isdir(path) and not os.path.islink(path):
            return folder
    return None


def find_base(project: str) -> str | None:
    """The folder of the workspace that a session in `project` writes to: its own, or the global."""
    if local := local_base(project):
        return local
    base = global_base()
    return os.path.realpath(base) if os.path.isdir(os.path.join(base, LEARNINGS)) else None


def lock_path(base: str) -> str:
    """The lock of a workspace, in the state directory.

    A checksum names it, since hashlib is slow to import. Two workspaces that share one lock wait
    for each other now and then; nothing else happens.
    """
    return os.path.join(find_state_directory(), "locks", f"learnings-{_checksum(base)}.lock")


def buffer_lock_path(base: str) -> str:
    """The lock of a workspace's buffer, which hooks take: nobody holds it for long."""
    return os.path.join(find_state_directory(), "locks", f"buffer-{_checksum(base)}.lock")


def _checksum(base: str) -> str:
    return f"{zlib.crc32(os.fsencode(os.path.realpath(base))):08x}"


class Locked:
    """Holds a lock; the command line takes the same one through filelock.

    Args:
        path: the lock file.
        seconds: how long to wait.

    Raises:
        TimeoutError: somebody held it for all that time.
        OSError: the state directory cannot be written.
    """

    def __init__(self, path: str, seconds: float = 2.0) -> None:
        self._path, self._seconds, self._file = path, seconds, -1

    def __enter__(self) -> None:
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            lock_descriptor(self._file, self._seconds)
        except BaseException:
            os.close(self._file)
            raise

    def __exit__(self, *_: object) -> None:
        os.close(self._file)


def lock_descriptor(descriptor: int, seconds: float) -> None:
    """Lock an open file for us alone.

    Raises:
        TimeoutError: somebody else held it for `seconds`.
    """
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise TimeoutError(f"locked by another process for {seconds} s") from None
            time.sleep(_POLL_SECONDS)


def _up_to_git_toplevel(folder: str) -> list[str]:
    chain = [folder]
    while True:
        if os.path.exists(os.path.join(chain[-1], ".git")):
            return chain
        above = os.path.dirname(chain[-1])
        if above == chain[-1]:
            return [folder]
        chain.append(above)
