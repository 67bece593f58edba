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
    names = {f"tasks-{identity}": f"the list {identity}"}
    if source:
        names[f"tasks-of-{hash_path(f'{project}/{source}')}"] = f"a list of {source}"
    with contextlib.ExitStack() as held:
        for name, what in names.items():
            lock = FileLock(store.locks / f"{name}.lock", 0)
            try:
                lock.acquire()
            except LockHeldError:
                raise InfrastructureError(
                    f"another process works on {what}", "see `orchestrator tasks status`"
                ) from None
            held.callback(lock.release)
        yield


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
