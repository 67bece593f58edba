"""All that is kept below a folder, as text: also what is compressed, and rows of databases."""

import contextlib
import sqlite3
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, Final

PROJECT_FOLDERS: Final = frozenset({"git", "files", "reverted", "pinned"})
"""Folders in which git and the guard keep the project's own files, as they are."""


def read_stored_text(folder: Path, leave: Collection[str] = PROJECT_FOLDERS) -> str:
    """Return what all files below a folder hold, but for those in folders of these names."""
    found: list[str] = []
    for path in folder.rglob("*"):
        if path.is_file() and not set(leave) & set(path.relative_to(folder).parts):
            found += read_file(path)
    return "\n".join(found)


def read_file(path: Path) -> Iterator[str]:
    """Yield what a file holds, as it is and unpacked."""
    data = path.read_bytes()
    yield data.decode("utf-8", "replace")
    yield from _iter_decompressed(data)
    if data.startswith(b"SQLite format 3"):
        with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
            for value in _values(database):
                yield from _iter_decompressed(value) if isinstance(value, bytes) else (str(value),)


def _values(database: sqlite3.Connection) -> Iterator[Any]:
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (table,) in tables:
        for row in database.execute(f'SELECT * FROM "{table}"'):  # noqa: S608 -- its own names
            yield from row


def _iter_decompressed(data: bytes) -> Iterator[str]:
    with contextlib.suppress(zlib.error):
        yield zlib.decompress(data).decode("utf-8", "replace")
