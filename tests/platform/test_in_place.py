"""A file that a rename cannot replace is written in place, and never stays half written."""

import errno
import os
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.platform import atomic, files, in_place
from orchestrator.platform.in_place import FinishedWrite, WriteOutcome, finish_writes

OLD = b"# Mine\n\ncaf\xe9 \0 " + b"prose " * 40
PAIRS = [(OLD, OLD + b"more " * 40), (OLD, b"short"), (OLD, b""), (b"", OLD), (b"aaab", b"aab")]


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    (tmp_path / "state").mkdir()
    return tmp_path / "state"


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A file with two names."""
    path = tmp_path / "CLAUDE.md"
    path.write_bytes(OLD)
    path.chmod(0o640)
    os.link(path, tmp_path / "other")
    return path


def write(path: Path, data: bytes, notes: Path) -> bool:
    return in_place.write_in_place(path, data, path.stat(), notes)


def list_notes(notes: Path) -> list[str]:
    return [each.name for each in notes.glob("*.json")]


def test_the_file_stays_the_same_file(linked: Path, notes: Path) -> None:
    before = linked.stat()
    assert write(linked, b"new", notes)
    now = linked.stat()
    assert (now.st_ino, now.st_nlink, stat.S_IMODE(now.st_mode)) == (before.st_ino, 2, 0o640)
    assert (linked.parent / "other").read_bytes() == b"new"
    assert list_notes(notes) == []


def test_what_somebody_wrote_since_stays(linked: Path, notes: Path) -> None:
    before = linked.stat()
    linked.write_bytes(b"theirs")
    assert not in_place.write_in_place(linked, b"mine", before, notes)
    assert linked.read_bytes() == b"theirs"
    assert list_notes(notes) == []


def kill_at_line(path: Path, data: bytes, notes: Path, line: int) -> bool:
    """Write in a child that is killed before its n-th line; return whether it was.

    Its writes are short, as those of a full pipe or a network file system may be, so that it is
    killed within the content too.
    """
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    whole, left, ours = os.write, line, {in_place.__file__, files.__file__, atomic.__file__}

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in ours:
            return None
        left -= event == "line"
        if not left:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    try:
        os.write = lambda descriptor, view: whole(descriptor, memoryview(view)[:90])
        sys.settrace(trace)
        write(path, data, notes)
    finally:
        os._exit(0)


@pytest.mark.parametrize(("old", "new"), PAIRS)
def test_a_writer_killed_at_any_line_leaves_one_version_or_the_other(
    old: bytes, new: bytes, linked: Path, notes: Path
) -> None:
    line, seen = 0, set()
    while True:
        line += 1
        linked.write_bytes(old)
        killed = kill_at_line(linked, new, notes, line)
        seen.add(linked.read_bytes() in (old, new))
        finish_writes(notes)
        assert linked.read_bytes() in (old, new)
        assert not finish_writes(notes)
        assert not list_notes(notes)
        assert linked.stat().st_nlink == 2
        if not killed:
            break
    assert line > 40
    assert linked.read_bytes() == new
    assert seen == {True, False} or not len(new) > 90, "no kill was within the content"


def leave_half(path: Path, new: bytes, notes: Path, written: int) -> None:
    """Leave what a process leaves that is killed after it has written some bytes."""
    old = path.read_bytes()
    note = in_place._Note(path, old, new)
    files.write_file(notes / "a.json", note.pack())
    path.write_bytes(new[:written] + old[written:])


@given(old=st.binary(max_size=40), new=st.binary(max_size=40), written=st.integers(0, 40))
def test_every_mixture_is_completed(
    old: bytes, new: bytes, written: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("mixture")
    path = folder / "a"
    path.write_bytes(old)
    leave_half(path, new, folder, min(written, len(new)))
    finish_writes(folder)
    assert path.read_bytes() in (old, new)
    assert not (folder / "a.json").exists()


def test_a_file_that_was_edited_since_is_left_alone(linked: Path, notes: Path) -> None:
    leave_half(linked, b"new " * 10, notes, 20)
    linked.write_bytes(b"I have repaired this by hand\n")
    copy = notes / "a.old"
    assert finish_writes(notes) == [FinishedWrite(linked, WriteOutcome.LEFT_ALONE, copy)]
    assert linked.read_bytes() == b"I have repaired this by hand\n"
    assert copy.read_bytes() == OLD
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert finish_writes(notes) == []


def test_a_file_that_is_gone_is_not_made_again(linked: Path, notes: Path) -> None:
    leave_half(linked, b"new " * 10, notes, 20)
    linked.unlink()
    assert [each.outcome for each in finish_writes(notes)] == [WriteOutcome.LEFT_ALONE]
    assert not linked.exists()


def failing_write(error: int, after: int) -> Callable[[int, memoryview], int]:
    """Return an `os.write` that fails once, after it has written some bytes."""
    whole, calls = os.write, iter((after, None))

    def fail(descriptor: int, view: memoryview) -> int:
        size = next(calls, len(view))
        if size is None:
            raise OSError(error, os.strerror(error))
        return whole(descriptor, view[:size])

    return fail


@pytest.mark.parametrize("after", [1, 50])
def test_a_write_that_fails_leaves_the_old_content(
    after: int, linked: Path, notes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "write", failing_write(errno.ENOSPC, after))
    with pytest.raises(OSError, match="No space"):
        write(linked, b"new " * 200, notes)
    assert linked.read_bytes() == OLD
    assert list_notes(notes) == []


def test_a_damaged_note_is_removed(notes: Path) -> None:
    (notes / "a.json").write_bytes(b"{")
    (notes / "b.json").write_bytes(b"[]")
    assert not finish_writes(notes)
    assert not list_notes(notes)


def test_without_a_folder_nothing_was_interrupted(tmp_path: Path) -> None:
    assert finish_writes(tmp_path / "missing") == []
