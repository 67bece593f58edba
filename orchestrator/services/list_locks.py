"""Keep the tasks of a list from being done twice: by two processes, or by two lists of a file."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.platform.folders import hash_path
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks.store import TaskStore


@contextlib.contextmanager
def lock_list(identity: str, source: str, project: Path, store: Store) -> Iterator[None]:
    """Keep other processes from a list, and from its source: they would do its tasks twice.

    Raises:
        InfrastructureError: another process works on it.
    """
    locks = {f"the list {identity}": _create_lock(identity, store)}
    if source:
        name = f"tasks-of-{hash_path(f'{project}/{source}')}.lock"
        locks[f"a list of {source}"] = FileLock(store.locks / name, 0)
    with contextlib.ExitStack() as held:
        for what, lock in locks.items():
            try:
                held.enter_context(lock)
            except LockHeldError:
                raise InfrastructureError(
                    f"another process works on {what}", "see `orchestrator tasks status`"
                ) from None
        yield


@contextlib.contextmanager
def try_lock_list(identity: str, store: Store) -> Iterator[bool]:
    """Keep other processes from a list, and give whether that is so: not if one works on it."""
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_create_lock(identity, store))
            is_locked = True
        except LockHeldError:
            is_locked = False
        yield is_locked


def _create_lock(identity: str, store: Store) -> FileLock:
    return FileLock(store.locks / f"tasks-{identity}.lock", 0)


def require_finished(source: str, project: Path, store: Store) -> None:
    """Check that no earlier list of a source has work left: its tasks would be done again.

    Raises:
        UsageError: one has, and can go on.
    """
    found = TaskStore(store.database).find_unfinished(project, source) if source else None
    if found and list_folder(store.directory, found.id).is_dir():
        raise UsageError(
            f"a list of {source} is not finished: {found.id}, {found.status}",
            f"`orchestrator tasks resume {found.id}` goes on with it; --new starts another one",
        )
