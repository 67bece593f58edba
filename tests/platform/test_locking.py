"""Locks between processes, and between threads of one."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.platform.locking import (
    FileLock,
    LockHeldError,
    lock_descriptor,
    unlock_descriptor,
)

HOLD = (
    "import sys\n"
    "from orchestrator.platform.locking import FileLock\n"
    "with FileLock(sys.argv[1], 5):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


@contextmanager
def held_elsewhere(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold a lock; the block may end it."""
    command = [sys.executable, "-c", HOLD, str(path)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, text=True, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_lock_that_another_process_holds_is_not_given(tmp_path: Path) -> None:
    path = tmp_path / "locks" / "a.lock"
    with held_elsewhere(path), pytest.raises(LockHeldError):
        FileLock(path, 0).acquire()


def test_a_lock_is_free_when_its_holder_was_killed(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with held_elsewhere(path) as holder:
        holder.kill()
        holder.wait()
        with FileLock(path, 0):
            assert path.exists()


@pytest.mark.parametrize("seconds", [30.0, None])
def test_whoever_waits_gets_it_next(tmp_path: Path, seconds: float | None) -> None:
    path = tmp_path / "a.lock"
    with held_elsewhere(path) as holder:
        ending = threading.Event()

        def end() -> None:
            ending.set()
            holder.kill()

        threading.Timer(0.1, end).start()
        with FileLock(path, seconds):
            assert ending.is_set()


def test_threads_wait_for_each_other_too(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    with FileLock(path, 0), pytest.raises(LockHeldError):
        FileLock(path, 0).acquire()
    with FileLock(path, 0):
        assert path.exists()


def test_a_lock_that_was_removed_while_one_waited_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "a.lock"
    first = FileLock(path, 0)
    first.acquire()
    second = FileLock(path, 30)
    waiting = threading.Thread(target=second.acquire)
    waiting.start()
    path.unlink()
    first.release()
    waiting.join()
    with pytest.raises(LockHeldError):  # the one that others find at this path
        FileLock(path, 0).acquire()
    second.release()


def test_its_folder_is_its_owners_and_a_link_is_not_followed(tmp_path: Path) -> None:
    with FileLock(tmp_path / "locks" / "a.lock", 0):
        assert (tmp_path / "locks").stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="link"):
        FileLock(tmp_path / "link", 0).acquire()
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_that_is_open_already(tmp_path: Path) -> None:
    with (tmp_path / "a").open("ab") as one, (tmp_path / "a").open("ab") as other:
        lock_descriptor(one.fileno(), 0)
        with pytest.raises(LockHeldError):
            lock_descriptor(other.fileno(), 0)
        unlock_descriptor(one.fileno())
        lock_descriptor(other.fileno(), 0)
