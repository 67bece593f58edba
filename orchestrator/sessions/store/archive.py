"""Copy transcripts before Claude Code deletes them: compressed, for their owner alone.

Secrets in a transcript stay in its copy; whoever reads one masks what it shows. A copy is written
under another name first and renamed when it is complete, so a process that is killed leaves the
older copy or the new one. A transcript that Claude Code is still writing may end within a line.

A file that was rewritten replaces its copy only if it begins with everything that the copy holds.
If not (it is shorter, or something in it has changed), the older copy stays beside the new one,
with a number in its name: nothing that was archived once is lost, but by age or for space.
"""

import errno
import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform import atomic, files
from orchestrator.platform.locking import FileLock, LockHeldError
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.sessions.store.archive_copies import (
    Content,
    SourceError,
    compress_file,
    measure_copy,
    open_source,
)
from orchestrator.sessions.store.archive_index import (
    SUFFIX,
    ArchivedState,
    ArchiveIndex,
    load_index,
)
from orchestrator.sessions.store.archive_space import Space, list_copies, remove_oldest

if TYPE_CHECKING:
    from orchestrator.sessions.reading.files import Family

CAP_BYTES: Final = 2 << 30
KEEP_DAYS: Final = 365.0
"""Defaults: a year of daily work of one person takes a tenth of the space."""
_SAVE_EVERY: Final = 100
"""Copies after which the record is saved: what a killed process has copied is not read again."""
_LOCK_SECONDS: Final = 600.0
_TAKEN: Final = "a folder or file of its session has a name that only its copy may have"
_ABOUT_ONE_FILE: Final = {
    errno.ENAMETOOLONG: "its name is too long",
    errno.EISDIR: _TAKEN,
    errno.ENOTDIR: _TAKEN,
    errno.EEXIST: _TAKEN,
}
"""Errors that stop nothing, because they are about the name of one file."""


@dataclass(frozen=True)
class UnreadableFile:
    """A file that could not be read, and why."""

    path: str
    reason: str


@dataclass(frozen=True)
class ArchiveResult:
    """What was archived."""

    copied: int = 0
    """Files that are new or have changed."""
    unchanged: int = 0
    older_copies: int = 0
    """Copies that stay beside a new one, because the file was rewritten."""
    over_limit: int = 0
    """Files that were not copied: too old, or no space for them."""
    removed: tuple[str, ...] = ()
    """Copies that were removed, too old or the oldest of too many, by their path."""
    removed_bytes: int = 0
    size: int = 0
    """Bytes of all copies."""
    unreadable: tuple[UnreadableFile, ...] = ()


@dataclass
class _Count:
    copied: int = 0
    unchanged: int = 0
    older_copies: int = 0
    over_limit: int = 0
    unreadable: list[UnreadableFile] = field(default_factory=list)


@dataclass(frozen=True)
class _Candidate:
    path: Path
    relative: str
    status: os.stat_result
    index: ArchiveIndex
    copy_size: int
    """The bytes of a copy of it that is gone; 0 if they are unknown."""


def archive_transcripts(
    families: Iterable["Family"],
    folder: Path,
    cap_bytes: int = CAP_BYTES,
    keep_days: float = KEEP_DAYS,
    now: datetime | None = None,
) -> ArchiveResult:
    """Copy all files of some sessions that are new or have changed, and remove the oldest copies.

    Args:
        families: the transcripts with their subagents; what Claude Code stores beside them (large
            outputs, descriptions of subagents) is copied too.
        folder: the archive.
        cap_bytes: most bytes of all copies; the oldest are removed first.
        keep_days: days for which a copy is kept after the last change of its file. A clock that is
            wrong removes nothing: they are counted back from the latest change of any file.
        now: the present; that of the clock if None.

    Raises:
        InfrastructureError: the archive cannot be written, or another process is writing it.
    """
    try:
        make_private_folder(folder)
        with FileLock(folder / ".lock", _LOCK_SECONDS):
            return _archive(families, folder, cap_bytes, keep_days, now)
    except LockHeldError:
        raise InfrastructureError(
            f"another process has been archiving transcripts in {folder} for too long",
            "wait for it, or end it",
        ) from None
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise InfrastructureError(
            f"transcripts cannot be archived in {folder}: {error.strerror or error}",
            "free space there" if full else "correct its mode or owner",
        ) from error


def _archive(
    families: Iterable["Family"],
    folder: Path,
    cap_bytes: int,
    keep_days: float,
    now: datetime | None,
) -> ArchiveResult:
    count, indexes = _Count(), dict[Path, ArchiveIndex]()
    candidates = list(_iter_candidates(families, folder, indexes, count))
    copies = list_copies(folder)
    latest = max([each.status.st_mtime for each in candidates] + [at for at, _, _ in copies] + [0])
    oldest = min(latest, (now.timestamp() if now else latest)) - keep_days * 86_400
    space = Space(copies, cap_bytes)
    # The newest first: if there is no space for all, the rest need not be copied.
    candidates.sort(key=lambda each: (-each.status.st_mtime, each.relative))
    for number, each in enumerate(candidates, 1):
        if each.status.st_mtime < oldest or not space.has_room(
            each.status.st_mtime, each.copy_size
        ):
            count.over_limit += 1
            continue
        try:
            space.used += _copy_file(each, count)
        except SourceError as error:
            count.unreadable.append(UnreadableFile(str(each.path), str(error)))
        except OSError as error:
            if not (reason := _ABOUT_ONE_FILE.get(error.errno or 0)):
                raise
            count.unreadable.append(UnreadableFile(str(each.path), reason))
        if number % _SAVE_EVERY == 0:
            _save_indexes(indexes)
    removed, removed_bytes, size = remove_oldest(folder, cap_bytes, oldest)
    for index in indexes.values():
        index.forget_lost()
    _save_indexes(indexes)
    return ArchiveResult(
        count.copied,
        count.unchanged,
        count.older_copies,
        count.over_limit,
        removed,
        removed_bytes,
        size,
        tuple(sorted(count.unreadable, key=lambda each: each.path)),
    )


def _save_indexes(indexes: dict[Path, ArchiveIndex]) -> None:
    for index in indexes.values():
        if index.states:
            index.save()


def _iter_candidates(
    families: Iterable["Family"], folder: Path, indexes: dict[Path, ArchiveIndex], count: _Count
) -> Iterator[_Candidate]:
    """Yield the files that have changed since they were copied, or whose copy is gone."""
    for family in families:
        if family.home not in indexes:
            indexes[family.home] = load_index(folder, family.home)
        index = indexes[family.home]
        for path in _list_files(family, index.root):
            try:
                status = path.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            except OSError as error:
                count.unreadable.append(UnreadableFile(str(path), error.strerror or str(error)))
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            try:
                relative = index.name_file(path)
            except ValueError:  # the folder of projects has become another one
                continue
            index.seen.add(relative)
            state = index.states.get(relative)
            size = 0
            if state and state[:3] == (status.st_ino, status.st_size, status.st_mtime_ns):
                if index.find_state(relative):
                    count.unchanged += 1
                    continue
                size = state.copy_size
            yield _Candidate(path, relative, status, index, size)


def _list_files(family: "Family", root: Path) -> list[Path]:
    """Return the files of a session, and all that is in the folder of its name.

    Args:
        family: the session.
        root: the folder of all projects.
    """
    found = dict.fromkeys(family.files)
    if family.folder and not files.is_link(folder := root / family.folder):
        found.update(dict.fromkeys(map(Path, sorted(files.iter_files(folder)))))
    return list(found)


def _copy_file(candidate: _Candidate, count: _Count) -> int:
    """Copy a file, and return the bytes of the copy; 0 if the copy has all of it already.

    Raises:
        SourceError: the file cannot be read.
        OSError: the copy cannot be written.
    """
    target = candidate.index.find_copy(candidate.relative)
    make_private_folder(target.parent)
    before: Content | None = None
    if state := candidate.index.find_state(candidate.relative):
        before = Content(state.size, state.digest)
    elif files.is_file(target):
        before = measure_copy(target)
    temporary = files.temporary_path(target)
    files.remove_path(temporary)
    try:
        with open_source(candidate.path) as source:
            status = os.fstat(source.fileno())
            content, beginning = compress_file(source, status.st_size, temporary, before)
        if content == before:
            files.remove_path(temporary)
            written = 0
        else:
            os.utime(temporary, ns=(status.st_mtime_ns, status.st_mtime_ns))
            written = temporary.stat().st_size
            if before and beginning != before:
                atomic.move_path(target, _name_older_copy(target))
                count.older_copies += 1
            atomic.move_path(temporary, target)
            count.copied += 1
    except BaseException:
        with suppress(OSError):
            files.remove_path(temporary)
        raise
    # A file that changes while it is read has another size or time then, and is copied next time.
    copy = target.lstat()
    candidate.index.states[candidate.relative] = ArchivedState(
        status.st_ino,
        content.size,
        status.st_mtime_ns,
        content.digest,
        copy.st_size,
        copy.st_mtime_ns,
    )
    return written


def _name_older_copy(target: Path) -> Path:
    base = target.name.removesuffix(SUFFIX)
    numbered = (target.with_name(f"{base}.{number}{SUFFIX}") for number in itertools.count(1))
    return next(path for path in numbered if not files.exists(path))
