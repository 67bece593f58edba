"""Python's cached bytecode of files that have changed."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath


def drop_bytecode(project: Path, paths: Iterable[str]) -> None:
    """Remove the cached bytecode of the Python files among `paths`.

    Python tells a stale cache by the source's size and by its time in whole seconds: of an edit
    within one second that keeps the size, the tests would judge the code before it.

    Raises:
        OSError: one cannot be removed.
    """
    top = project.resolve()
    for path in paths:
        pure = PurePosixPath(path)
        caches = top / pure.parent / "__pycache__"
        # A link leads to somebody else's files.
        if pure.suffix == ".py" and caches.resolve() == caches:
            for cache in caches.glob(f"{_escape_glob(pure.stem)}.*.pyc"):
                cache.unlink(missing_ok=True)


def _escape_glob(text: str) -> str:
    """Return a name for `glob`, with nothing in it that means something there."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)
