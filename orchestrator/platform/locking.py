"""Lock files against other processes with flock(2); a lock ends with the process that holds it.

Unlike a lock of fcntl(2), it also excludes other threads of the same process, and closing another
descriptor of the file does not release it. The hook locks files while a Claude Code user waits, so
this imports only what is quick.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH120

import fcntl
import os
import time

from orchestrator.platform.private_folders import make_private_folder

_POLL_SECONDS = 0.005


class LockHeldError(TimeoutError):
    """Another process or thread held the lock until the timeout."""


class FileLock:
    """A lock on a file that exists for this purpose only. The file is created, and never removed.

    Args:
        path: the lock file. Its folder is created for its owner alone if it is missing.
        seconds: the longest wait; 0 for no wait, None for no limit.
    """

    def __init__(self, path: "str | os.PathLike[str]", seconds: float | None = None) -> None:
        self._path, self._seconds, self._file = os.fspath(path), seconds, -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LockHeldError: it was held by another until the timeout.
            OSError: the file cannot be created.
        """
        make_private_folder(os.path.dirname(self._path))
        file = self._open_locked()
        # Somebody may have removed the file while we waited, such as with the whole state
        # directory: then others lock a new file of this name.
        while not os.fstat(file).st_nlink:
            os.close(file)
            file = self._open_locked()
        self._file = file

    def release(self) -> None:
        """Release the lock."""
        file, self._file = self._file, -1
        try:
            unlock_descriptor(file)
        finally:
            os.close(file)

    def _open_locked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self._path, flags, 0o600)
        try:
            lock_descriptor(file, self._seconds)
        except BaseException:
            os.close(file)
            raise
        return file

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_: object) -> None:
        self.release()


def lock_descriptor(descriptor: int, seconds: float | None) -> None:
    """Lock an open file exclusively.

    Args:
        descriptor: the file; the lock belongs to this opening of it.
        seconds: the longest wait; None for no limit.

    Raises:
        LockHeldError: it was held by another until the timeout.
    """
    if seconds is None:
        return fcntl.flock(descriptor, fcntl.LOCK_EX)
    deadline = time.monotonic() + seconds
    while True:
        try:
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise LockHeldError(f"locked by another process for {seconds} s") from None
            time.sleep(_POLL_SECONDS)


def unlock_descriptor(descriptor: int) -> None:
    """Unlock an open file at once, even if a child has inherited it: closing it would not."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
