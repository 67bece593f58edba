"""Explains why a file or folder may not be used: its owner, its mode, its mount."""

import contextlib
import os
import pwd
import re
import shlex
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files

_REFUSED: Final = r"(?:Permission denied|Operation not permitted|Read-only file system)"

_NAMED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # Python: `Permission denied: '/a' -> '/b'`; Node.js: `permission denied, open '/a'`.
        rf"{_REFUSED}[:,]?\s*(?:\w+\s+)?b?(['\"])(?P<path>[^'\"\n]+)\1"
        r"(?: -> b?['\"](?P<other>[^'\"\n]+)['\"])?",
        # mkdir and its like: `cannot create directory '/a': Permission denied`.
        rf"['\u2018](?P<path>[^'\u2019\n]++)['\u2019]: {_REFUSED}",
        # Shells: `sh: 1: ./a: Permission denied`.
        rf"(?<![^\s:'\"])(?P<path>[^\s:'\"]++): {_REFUSED}",
    )
)
_DATABASE_REFUSED: Final = re.compile(
    r"unable to open database file|attempt to write a readonly database", re.IGNORECASE
)
_DATABASE: Final = re.compile(
    r"connect\(\s*f?['\"](?:file:)?(?P<path>[^'\"\n?:{]+)|sqlite:///(?P<url>[^\s'\"?)]+)"
    r"|['\"](?P<file>[^'\"\n{]+\.(?:db|sqlite3?))['\"]"
)
"""SQLite's error does not name the file; the line of code that opens it may."""


@dataclass(frozen=True)
class Refusal:
    """The reason why a file or folder cannot be used, and what to do."""

    message: str
    hint: str


def find_refused_path(output: str, project: Path) -> Refusal | None:
    """Return why a path that exceptions name cannot be used.

    Args:
        output: the output of the tests.
        project: the folder that relative paths start from.

    Returns:
        None if no path is named, or if each can be used now.
    """
    for name in dict.fromkeys(_iter_paths(output)):
        # It may be removed or changed during the check, or be no path at all.
        with contextlib.suppress(OSError, ValueError):
            if found := find_refusal(Path(os.path.realpath(project / name))):
                return found
    return None


def find_refusal(path: Path) -> Refusal | None:
    """Return why this user cannot read, write or create a real path; None if the user can.

    Raises:
        OSError: the path changes during the check.
    """
    at = Path(path.root)
    for folder in (*reversed(path.parents), path):
        if folder != at and not files.is_folder(at):
            return None  # a file is in the place of the folder
        if folder != at and not _can_access(at, os.X_OK):
            return _build_refusal(at, "enter it", "x")
        if not files.exists(folder):
            return _find_write_refusal(at, "write there")
        at = folder
    if files.is_folder(at):
        allowed = _can_access(at, os.R_OK | os.X_OK)
        return (
            _find_write_refusal(at, "write there")
            if allowed
            else _build_refusal(at, "read it", "rx")
        )
    if not _can_access(at, os.R_OK):
        return _build_refusal(at, "read it", "r")
    # To replace or remove a file, or to create a journal beside it (SQLite), takes a writable
    # folder.
    beside = files.is_file(at) and _find_write_refusal(at.parent, "write there")
    found = _find_write_refusal(at, "write to it") or beside or None
    return found or (_find_execute_refusal(at) if not _can_access(at, os.X_OK) else None)


def _iter_paths(output: str) -> Iterator[str]:
    for pattern in _NAMED:
        for match in pattern.finditer(output):
            yield from (path for path in match.groupdict().values() if path)
    if _DATABASE_REFUSED.search(output):
        for match in _DATABASE.finditer(output):
            yield next(path for path in match.groupdict().values() if path)


def _can_access(path: Path, mode: int) -> bool:
    return os.access(path, mode, effective_ids=os.access in os.supports_effective_ids)


def _find_write_refusal(path: Path, action: str) -> Refusal | None:
    if _can_access(path, os.W_OK):
        return None
    try:
        read_only = os.statvfs(path).f_flag & os.ST_RDONLY
    except OSError:
        read_only = 0
    if not read_only:
        return _build_refusal(path, action, "w")
    mount = next(each for each in (path, *path.parents) if os.path.ismount(each))
    message = f"{path} is on {mount}, which is mounted read-only"
    return Refusal(message, "mount it for writing, or let the tests write elsewhere")


def _build_refusal(path: Path, action: str, bits: str) -> Refusal:
    at = path.stat()
    owner, mode = _find_user_name(at.st_uid), stat.S_IMODE(at.st_mode)
    message = f"{path} is owned by {owner}, mode {mode:o}; this user may not {action}"
    if at.st_uid == os.geteuid():
        return Refusal(message, f"chmod u+{bits} {shlex.quote(str(path))}")
    return Refusal(message, f"give this user ({_find_user_name(os.geteuid())}) access to it")


def _find_execute_refusal(path: Path) -> Refusal | None:
    """Return that a script is not executable; None for a file that is no script."""
    if not files.is_file(path):  # opening a pipe would wait for a writer
        return None
    with path.open("rb") as file:
        if file.read(2) != b"#!" and path.suffix != ".sh":
            return None
    mode = stat.S_IMODE(path.stat().st_mode)
    return Refusal(
        f"{path} is not executable (mode {mode:o})", f"chmod +x {shlex.quote(str(path))}"
    )


def _find_user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:  # a container's user may have no name
        return f"user {user}"
