"""Write a file in place, so that a process that is killed leaves no half of it for long.

Some files cannot be replaced by a rename, or must not be: one that is mounted into a container on
its own, one with several hard links, or one in a folder that may not be written. Before such a
file is written, a note with its old and its new content is stored in a private folder. Whoever
reads the file next finds the note and completes the write.
"""

import base64
import contextlib
import json
import os
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Final

from orchestrator.platform import atomic, files
from orchestrator.platform.folders import hash_path
from orchestrator.platform.locking import FileLock

_LOCK_SECONDS: Final = 60.0
_NOTE: Final = ".json"


class WriteOutcome(Enum):
    """What was done about a write that was interrupted."""

    COMPLETED = "completed"
    LEFT_ALONE = "left alone"
    """The file is neither version nor a mixture of them, so somebody else has changed it."""


@dataclass(frozen=True)
class FinishedWrite:
    """A write that was interrupted, and is not any more."""

    path: Path
    outcome: WriteOutcome
    copy: Path | None = None
    """Where the content from before the write is, if the file was left alone."""


@dataclass(frozen=True)
class _Note:
    """The two versions of a file that is being written."""

    path: Path
    old: bytes
    new: bytes

    def pack(self) -> bytes:
        """Return the note as JSON; the contents may be any bytes."""
        old, new = (base64.b64encode(each).decode("ascii") for each in (self.old, self.new))
        return json.dumps({"path": str(self.path), "old": old, "new": new}).encode("ascii")

    @classmethod
    def read(cls, file: Path) -> "_Note":
        """Read a note; ValueError or KeyError if it is none."""
        stored = json.loads(file.read_bytes())
        old, new = (base64.b64decode(stored[name]) for name in ("old", "new"))
        return cls(Path(stored["path"]), old, new)

    def find_wanted(self, data: bytes) -> bytes | None:
        """Return the version that a process that was killed was writing; None if it was neither."""
        if _is_mixture(data, self.new, self.old):
            return self.new
        # The write had failed, such as on a full disk, and the old version was being restored.
        return self.old if _is_mixture(data, self.old, self.new) else None


def write_in_place(path: Path, data: bytes, before: os.stat_result, notes: Path) -> bool:
    """Write a file's new content into the file itself; synced to the disk.

    Args:
        path: an existing file.
        data: its new content.
        before: its status when the caller read it.
        notes: the private folder for notes.

    Returns:
        Whether it was written: not if it was changed since, by somebody without the caller's lock.

    Raises:
        OSError: it cannot be written; the content is the old one, or will be completed from the
            note if the disk allows neither.
    """
    with FileLock(notes / "lock", _LOCK_SECONDS):
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            if atomic.is_changed(path, before):
                return False
            old = _read_all(descriptor)
            note = notes / f"{hash_path(path)}{_NOTE}"
            packed = _Note(path, old, data).pack()
            files.write_file(note, packed, 0o600, durable=True, alone=True)
            try:
                _overwrite(descriptor, data)
            except BaseException:
                _overwrite(descriptor, old)
                _remove_note(note)
                raise
            _remove_note(note)
        finally:
            os.close(descriptor)
    return True


def finish_writes(notes: Path) -> list[FinishedWrite]:
    """Complete the writes that were interrupted; a write that is in progress is waited for.

    Args:
        notes: the private folder for notes, which need not exist.

    Raises:
        OSError: a file cannot be read or written.
    """
    if not _list_notes(notes):
        return []
    with FileLock(notes / "lock", _LOCK_SECONDS):
        finished = [_finish_write(note) for note in _list_notes(notes)]
    return [each for each in finished if each]


def _list_notes(notes: Path) -> list[Path]:
    return [Path(each.path) for each in files.list_folder(notes) if each.name.endswith(_NOTE)]


def _finish_write(file: Path) -> FinishedWrite | None:
    """Complete one write; None if there is nothing to do."""
    try:
        note = _Note.read(file)
    except (ValueError, KeyError, TypeError, RecursionError):
        _remove_note(file)  # it is written in one piece, so this is not a note of this program
        return None
    current = files.read_whole_file(note.path)
    if current in (note.old, note.new):
        _remove_note(file)
        return None
    wanted = None if current is None else note.find_wanted(current)
    if wanted is not None:
        descriptor = os.open(note.path, os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _overwrite(descriptor, wanted)
        finally:
            os.close(descriptor)
        _remove_note(file)
        return FinishedWrite(note.path, WriteOutcome.COMPLETED)
    copy = file.with_suffix(".old")
    files.write_file(copy, note.old, 0o600, durable=True, alone=True)
    _remove_note(file)
    return FinishedWrite(note.path, WriteOutcome.LEFT_ALONE, copy)


def _is_mixture(data: bytes, first: bytes, rest: bytes) -> bool:
    """Return whether `_overwrite` was ended while it wrote `first` over `rest`."""
    shared = zip(data, first, strict=False)
    differing = (at for at, (one, other) in enumerate(shared) if one != other)
    written = next(differing, min(len(data), len(first)))
    return data[written:] == rest[written:]


def _overwrite(descriptor: int, data: bytes) -> None:
    """Replace the content from the start, and cut off what is too long last."""
    os.lseek(descriptor, 0, os.SEEK_SET)
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
    os.ftruncate(descriptor, len(data))
    os.fsync(descriptor)


def _read_all(descriptor: int) -> bytes:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        return file.read()


def _remove_note(note: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        note.unlink()
    atomic.sync_folder(note.parent)
