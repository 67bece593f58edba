"""The locks under which rulebook files are written, by runs, commands and promotions alike."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.folders import hash_path
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.rulebook import files

_LOCK_SECONDS: Final = 60.0


@contextmanager
def hold_lock(path: Path, what: object) -> Iterator[None]:
    """Hold the lock file at `path`; `what` is named in the error when another process holds it.

    Raises:
        InfrastructureError: somebody holds it for too long, or its folder cannot be written.
    """
    with files.translate_os_errors(path.parent, "written"):
        lock = FileLock(path, _LOCK_SECONDS)
        try:
            lock.acquire()
        except LockHeldError:
            raise InfrastructureError(
                f"another process has been writing {what} for {_LOCK_SECONDS:.0f} s",
                "wait for it, or end it",
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def lock_instruction_files(paths: Iterable[Path], locks: Path) -> Iterator[None]:
    """Hold the locks of files that carry rules, given by their real paths.

    All take them in one order, so that no two writers wait for each other.

    Raises:
        InfrastructureError: as for `hold_lock`.
    """
    with ExitStack() as stack:
        for path in sorted(set(paths)):
            stack.enter_context(hold_lock(locks / f"rulebook-{hash_path(path)}.lock", path))
        yield
