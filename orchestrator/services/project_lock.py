"""Keep other runs out of a project, and out of the folders above and below it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.folders import hash_path
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import (
    lists_folder,
    workers_folder,
    worktree_folder,
    worktrees_folder,
)

_PREFIX: Final = "project-"


@contextlib.contextmanager
def lock_project(folder: Path, store: Store) -> Iterator[None]:
    """Keep other runs out of a folder.

    A run in a folder above or below changes the same files. Only that of an isolated run, or of a
    lane, does not: its work tree has files of its own, wherever the state directory is.

    Raises:
        InfrastructureError: another run works in it, or above or below it.
    """
    path = store.locks / f"{_PREFIX}{hash_path(folder)}.lock"
    lock = FileLock(path, 0)
    with contextlib.ExitStack() as held:
        with FileLock(store.locks / "projects.lock"):  # two may start at once, one below the other
            _require_free(folder, path, store)
            _acquire(lock, folder, folder, store)
            held.callback(lock.release)
            # Not replaced, because the file itself is locked. It names the folder for the others.
            path.write_bytes(os.fsencode(folder))
        yield


def _require_free(folder: Path, own: Path, store: Store) -> None:
    """Check that nobody works in a folder above or below.

    Raises:
        InfrastructureError: another run does.
    """
    for path in sorted(store.locks.glob(f"{_PREFIX}*.lock")):
        other = Path(os.fsdecode(path.read_bytes()))
        if path != own and other.is_absolute() and _share_files(folder, other, store):
            lock = FileLock(path, 0)
            _acquire(lock, other, folder, store)
            lock.release()


def _share_files(one: Path, other: Path, store: Store) -> bool:
    """Return whether one folder lies in the other, and neither is in a separate work tree."""
    state = store.directory
    for own in (worktrees_folder(state), lists_folder(state), workers_folder(state)):
        if own in one.parents or own in other.parents:
            return False
    return one in other.parents or other in one.parents


def _acquire(lock: FileLock, locked: Path, wanted: Path, store: Store) -> None:
    try:
        lock.acquire()
    except LockHeldError:
        where = "" if locked == wanted else f"; its files are also those of {wanted}"
        # Nothing is wrong with the usage: the same command works later.
        raise InfrastructureError(
            f"another run works in {locked}{_describe_active_run(locked, store)}{where}",
            "wait for it, or start one beside it with `orchestrator run --isolate`",
        ) from None


def _describe_active_run(folder: Path, store: Store) -> str:
    """Return the id and the start of the run that works in a folder; empty if it is not found."""
    for each in store.list_active_runs():
        worktree = worktree_folder(store.directory, each.id)
        place = each.lane or (worktree if worktree.exists() else each.task.project)
        # Before it is claimed it does not work yet, as that of the caller.
        if each.token and (folder == place or worktree in folder.parents):
            return f": {each.id}, since {each.started.astimezone():%Y-%m-%d %H:%M}"
    return ""
