"""Files are looked at as far as this user may, and written whole or not at all."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.platform import files
from tests.ordinary_user import deny_access, make_public_folder, ordinary_user


@pytest.fixture
def folder() -> Iterator[Path]:
    with make_public_folder() as folder:
        yield folder


@pytest.fixture
def hidden(folder: Path) -> Iterator[Path]:
    """A folder with a file in it that an ordinary user may not enter."""
    hidden = folder / "hidden"
    hidden.mkdir()
    (hidden / "a.txt").write_text("a", encoding="utf-8")
    (folder / "link").symlink_to(hidden / "a.txt")
    with deny_access(hidden), ordinary_user():
        yield hidden


class TestAPlaceThatMayNotBeEntered:
    def test_is_empty(self, hidden: Path) -> None:
        inside = hidden / "a.txt"
        with pytest.raises(PermissionError):
            inside.lstat()
        assert not files.exists(inside)
        assert not files.is_file(inside)
        assert not files.is_folder(hidden / "folder")
        assert not files.is_link(inside)
        assert files.list_folder(hidden) == []
        assert files.find_paths(hidden, "*") == []
        assert list(files.iter_files(hidden)) == []
        assert files.read_text(inside) == ""

    def test_is_told_from_one_where_nothing_is(self, folder: Path, hidden: Path) -> None:
        assert files.is_closed(hidden)
        assert files.is_closed(hidden / "a.txt")
        assert not files.is_closed(folder)
        assert not files.is_closed(folder / "nothing")
        assert not files.is_closed(folder / "nothing" / "below")

    def test_hides_nothing_of_what_lies_beside_it(self, folder: Path, hidden: Path) -> None:
        for name in ("a", "z"):
            (folder / name).mkdir()
            (folder / name / "found.txt").touch()
        expected = [folder / "a" / "found.txt", folder / "z" / "found.txt"]
        assert files.find_paths(folder, "*/found.txt") == expected
        assert sorted(files.iter_files(folder)) == sorted(
            map(str, (*expected, hidden.with_name("link")))
        )
        (link,) = (entry for entry in files.list_folder(folder) if entry.name == "link")
        assert not files.is_folder(link)
        assert not files.is_real_folder(link)
        assert not files.is_file(folder / "link")


@pytest.mark.parametrize("mode", [0o444, 0o111], ids=["listed only", "entered only"])
def test_a_folder_that_is_closed_in_part(folder: Path, mode: int) -> None:
    (folder / "half").mkdir()
    (folder / "half" / "a.txt").write_text("a", encoding="utf-8")
    with deny_access(folder / "half", mode), ordinary_user():
        assert files.is_closed(folder / "half")
        entered = mode == 0o111
        assert files.is_file(folder / "half" / "a.txt") is entered
        assert files.is_closed(folder / "half" / "a.txt") is not entered


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"], ids=["too long", "no name"])
def test_what_can_be_no_path_is_not_there(tmp_path: Path, name: str) -> None:
    assert not files.exists(tmp_path / name)
    assert not files.is_file(tmp_path / name)
    assert not files.is_folder(tmp_path / name)
    assert not files.is_closed(tmp_path / name)
    assert files.list_folder(tmp_path / name) == []
    assert files.read_text(tmp_path / name) == ""


def test_only_files_are_read_and_only_their_beginning(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.txt").write_bytes(b"caf\xc3\xa9 \xff")
    assert files.read_text(tmp_path / "pipe") == ""  # and does not wait for a writer
    assert files.read_text(tmp_path) == ""
    assert files.read_text(tmp_path / "a.txt") == "café \ufffd"
    assert files.read_bytes(tmp_path / "a.txt", 3) == b"caf"


def test_a_pattern_finds_hidden_names_in_order(tmp_path: Path) -> None:
    for name in ("b.mk", ".a.mk", "c.txt"):
        (tmp_path / name).touch()
    assert files.find_paths(tmp_path, "*.mk") == [tmp_path / ".a.mk", tmp_path / "b.mk"]


class TestWriting:
    @pytest.mark.parametrize("durable", [False, True])
    def test_makes_the_folder_and_replaces_what_is_there(
        self, tmp_path: Path, durable: bool
    ) -> None:
        path = tmp_path / "new" / ("n" * 255)
        for data in (b"one", b"two"):
            files.write_file(path, data, durable=durable)
            assert path.read_bytes() == data
        assert list(path.parent.iterdir()) == [path]

    def test_a_link_is_replaced_and_not_followed(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_bytes(b"a")
        (tmp_path / "link").symlink_to("a")
        files.write_file(tmp_path / "link", b"new")
        assert (tmp_path / "a").read_bytes() == b"a"
        assert (tmp_path / "link").read_bytes() == b"new"

    def test_the_mode_is_the_umasks_or_the_given_one(self, tmp_path: Path) -> None:
        before = os.umask(0o027)
        try:
            for name, mode in (("plain", None), ("private", 0o600), ("open", 0o755)):
                files.write_file(tmp_path / name, b"", mode)
        finally:
            os.umask(before)
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()}
        assert modes == {"plain": 0o640, "private": 0o600, "open": 0o755}

    def test_what_a_killed_process_has_left_is_replaced(self, tmp_path: Path) -> None:
        path = tmp_path / "a.txt"
        for make in (Path.mkdir, Path.touch, lambda left: left.symlink_to(tmp_path / "other")):
            make(files.temporary_path(path))
            files.write_file(path, b"new", alone=True)
            assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"new"]
        files.temporary_path(path).mkdir()
        (files.temporary_path(path) / "b").touch()
        files.remove_path(files.temporary_path(path))
        files.remove_path(files.temporary_path(path))
        assert list(tmp_path.iterdir()) == [path]

    def test_a_failure_leaves_everything_as_it_was(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").mkdir()
        with pytest.raises(IsADirectoryError):
            files.write_file(tmp_path / "a.txt", b"new")
        assert list(tmp_path.iterdir()) == [tmp_path / "a.txt"]
        assert not list((tmp_path / "a.txt").iterdir())
