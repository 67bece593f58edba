"""The locks under which rulebook files are written, by runs, commands and promotions alike."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from orchestrator.errors import InfrastructureError
from orchestrator.memory import files

_LOCK_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.01


@contextmanager
def held(path: Path, what: object) -> Iterator[None]:
    """Hold the lock file at `path`; `what` is said to be written when somebody else holds it.

    Raises:
        InfrastructureError: somebody holds it for too long, or its folder cannot be written.
    """
    with files.explained(path.parent, "written"):
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = FileLock(path, timeout=_LOCK_SECONDS, poll_interval=_POLL_SECONDS)
        try:
            lock.acquire()
        except Timeout:
            raise InfrastructureError(
                f"another process has been writing {what} for {_LOCK_SECONDS:.0f} s",
                "wait for it, or end it",
            ) from None
    try:
        yield
    finally:
        lock.release()


@contextmanager
def instruction_files_locked(paths: Iterable[Path], locks: Path) -> Iterator[None]:
    """Hold the locks of files that carry rules, given by their real paths.

    All take them in one order, so that no two writers wait for each other.

    Raises:
        InfrastructureError: as for `held`.
    """
    with ExitStack() as stack:
        for path in sorted(set(paths)):
            name = sha256(bytes(path)).hexdigest()[:16]
            stack.enter_context(held(locks / f"rulebook-{name}.lock", path))
        yield
