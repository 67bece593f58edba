"""Locks between processes: advisory ones (flock) on files, free again when their holder dies.

The hook takes them too, beside a Claude Code user who waits, so this imports only what is quick.
The same file can be locked twice by nobody, not even by two threads of one process.
"""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH103, PTH120

import fcntl
import os
import time

_POLL_SECONDS = 0.005


class LockHeldError(TimeoutError):
    """Somebody else held a lock for all the time that there was."""


class FileLock:
    """A lock on a file that is there for nothing else. It is made, and stays.

    Args:
        path: the lock file. Its folder is made for its owner alone if it is missing.
        seconds: how long to wait; 0 takes it at once or not at all, None waits for ever.
    """

    def __init__(self, path: "str | os.PathLike[str]", seconds: float | None = None) -> None:
        self._path, self._seconds, self._file = os.fspath(path), seconds, -1

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            LockHeldError: somebody held it for all that time.
            OSError: the file cannot be made.
        """
        os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)
        file = self._open_locked()
        while not os.fstat(file).st_nlink:  # removed while we waited: it locks nobody out
            os.close(file)
            file = self._open_locked()
        self._file = file

    def release(self) -> None:
        """Let others have the lock."""
        file, self._file = self._file, -1
        try:
            unlock_descriptor(file)
        finally:
            os.close(file)

    def _open_locked(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        file = os.open(self._path, flags, 0o644)
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
    """Lock an open file for us alone.

    Args:
        descriptor: the file; the lock is its own, whoever else has opened it.
        seconds: how long to wait; None waits for ever.

    Raises:
        LockHeldError: somebody else held it for all that time.
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
    """Unlock an open file at once, also where a child has inherited it."""
    fcntl.flock(descriptor, fcntl.LOCK_UN)
