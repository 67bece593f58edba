"""Remove Python's cached bytecode of files that have changed."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath


def drop_bytecode(project: Path, paths: Iterable[str]) -> None:
    """Remove the cached bytecode of the Python files among `paths`.

    Python compares a cache with its source by size and by modification time in whole seconds. After
    an edit within one second that keeps the size, the tests would run the old code.

    Raises:
        OSError: a cache file cannot be removed.
    """
    top = project.resolve()
    for path in paths:
        pure = PurePosixPath(path)
        caches = top / pure.parent / "__pycache__"
        # A symbolic link would lead to files outside of the project.
        if pure.suffix == ".py" and caches.resolve() == caches:
            for cache in caches.glob(f"{_escape_glob(pure.stem)}.*.pyc"):
                cache.unlink(missing_ok=True)


def _escape_glob(text: str) -> str:
    """Return a name with all characters escaped that `glob` would interpret."""
    return "".join(f"[{sign}]" if sign in "*?[" else sign for sign in text)
