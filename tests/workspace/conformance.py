"""What every workspace does. Subclass `WorkspaceConformance` and give it a `bench`."""

from abc import abstractmethod
from pathlib import Path
from typing import Protocol

import pytest

from orchestrator.models import FileChange, Snapshot
from orchestrator.ports import Workspace


class Bench(Protocol):
    """A workspace, and the hands of an agent in it."""

    @property
    def workspace(self) -> Workspace: ...

    def write(self, path: str, content: bytes) -> None: ...
    def delete(self, path: str) -> None: ...
    def files(self) -> dict[str, bytes]: ...


class WorkspaceConformance:
    """The promises of the `Workspace` protocol."""

    @pytest.fixture
    @abstractmethod
    def bench(self) -> Bench:
        """A project without files."""

    @pytest.fixture
    def patch(self, tmp_path: Path) -> Path:
        return tmp_path / "the.patch"

    def test_the_same_files_give_the_same_snapshot(self, bench: Bench) -> None:
        empty = bench.workspace.take_snapshot()
        bench.write("a.txt", b"one\n")
        filled = bench.workspace.take_snapshot()
        assert filled != empty
        assert bench.workspace.take_snapshot() == filled
        bench.delete("a.txt")
        assert bench.workspace.take_snapshot() == empty

    def test_a_diff_names_each_change_with_its_lines(self, bench: Bench, patch: Path) -> None:
        bench.write("changed.txt", b"one\ntwo\n")
        bench.write("gone.txt", b"one\n")
        bench.write("same.txt", b"one\n")
        before = bench.workspace.take_snapshot()
        bench.write("changed.txt", b"one\n2\nthree\n")
        bench.delete("gone.txt")
        bench.write("sub/new.txt", b"one\ntwo\n")
        diff = bench.workspace.diff_snapshots(before, bench.workspace.take_snapshot(), patch)
        assert diff.changes == (
            FileChange("changed.txt", "M", 2, 1),
            FileChange("gone.txt", "D", 0, 1),
            FileChange("sub/new.txt", "A", 2, 0),
        )
        assert diff.summary == "3 files, +4 -2"
        text = diff.patch.read_bytes()
        assert b"-two\n+2\n+three\n" in text
        assert b"same.txt" not in text

    def test_a_binary_file_has_no_line_counts(self, bench: Bench, patch: Path) -> None:
        before = bench.workspace.take_snapshot()
        bench.write("picture", b"\0\1\2")
        diff = bench.workspace.diff_snapshots(before, bench.workspace.take_snapshot(), patch)
        assert diff.changes == (FileChange("picture", "A", None, None),)
        assert patch.read_bytes()

    def test_nothing_changed_gives_an_empty_patch(self, bench: Bench, patch: Path) -> None:
        bench.write("a.txt", b"one\n")
        snapshot = bench.workspace.take_snapshot()
        diff = bench.workspace.diff_snapshots(snapshot, snapshot, patch)
        assert diff.changes == ()
        assert diff.summary == "nothing changed"
        assert patch.read_bytes() == b""

    def test_restore_puts_back_the_bytes(self, bench: Bench) -> None:
        before_files, to, since = self._an_attempt(bench)
        assert self._restore(bench, to, since) == ()
        assert bench.files() == before_files
        assert bench.workspace.take_snapshot() == to

    def test_restore_can_be_done_again(self, bench: Bench) -> None:
        before_files, to, since = self._an_attempt(bench)
        self._restore(bench, to, since)
        assert self._restore(bench, to, since) == ()
        assert bench.files() == before_files

    def test_restore_touches_nothing_else(self, bench: Bench) -> None:
        before_files, to, since = self._an_attempt(bench)
        bench.write("same.txt", b"edited by the user meanwhile\n")
        bench.write("notes.txt", b"written by the user meanwhile\n")
        assert self._restore(bench, to, since) == ()
        assert bench.files() == before_files | {
            "same.txt": b"edited by the user meanwhile\n",
            "notes.txt": b"written by the user meanwhile\n",
        }

    def test_restore_leaves_alone_what_somebody_else_edited(self, bench: Bench) -> None:
        before_files, to, since = self._an_attempt(bench)
        bench.write("changed.txt", b"by the user\n")
        bench.write("gone.txt", b"by the user\n")
        bench.write("new/file.txt", b"by the user\n")
        left_alone = self._restore(bench, to, since)
        assert left_alone == ("changed.txt", "gone.txt", "new/file.txt")
        assert bench.files() == before_files | dict.fromkeys(left_alone, b"by the user\n")

    def test_restore_leaves_what_it_is_told_to_leave(self, bench: Bench) -> None:
        before_files, to, since = self._an_attempt(bench)
        assert tuple(bench.workspace.restore_files(to, since, leave=("changed.txt",))) == ()
        assert bench.files() == before_files | {"changed.txt": b"three\n"}

    @staticmethod
    def _an_attempt(bench: Bench) -> tuple[dict[str, bytes], Snapshot, Snapshot]:
        bench.write("changed.txt", b"one\r\ntwo")
        bench.write("gone.txt", b"\0binary\xff")
        bench.write("same.txt", b"one\n")
        before_files, to = bench.files(), bench.workspace.take_snapshot()
        bench.write("changed.txt", b"three\n")
        bench.delete("gone.txt")
        bench.write("new/file.txt", b"new\n")
        return before_files, to, bench.workspace.take_snapshot()

    @staticmethod
    def _restore(bench: Bench, to: Snapshot, since: Snapshot) -> tuple[str, ...]:
        return tuple(bench.workspace.restore_files(to, since))
