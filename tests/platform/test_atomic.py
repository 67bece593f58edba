"""Files that people write too, replaced in one instant; `test_files` has the others."""

import os
import stat
from pathlib import Path

import pytest

from orchestrator.platform import atomic


def test_a_file_is_replaced_with_its_mode_kept(tmp_path: Path) -> None:
    path = tmp_path / "CLAUDE.md"
    path.write_bytes(b"one")
    path.chmod(0o640)
    assert atomic.replace_unless_changed(path, b"two", path.stat())
    assert path.read_bytes() == b"two"
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_is_not_there_yet_is_made(tmp_path: Path) -> None:
    assert atomic.replace_unless_changed(tmp_path / "new", b"one", None)
    assert (tmp_path / "new").read_bytes() == b"one"


@pytest.mark.parametrize("there", [b"another", None])
def test_what_somebody_wrote_since_stays(tmp_path: Path, there: bytes | None) -> None:
    path = tmp_path / "CLAUDE.md"
    path.write_bytes(b"one")
    before = path.stat()
    path.unlink()
    if there is not None:
        path.write_bytes(there)
    assert not atomic.replace_unless_changed(path, b"mine", before)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == ([there] if there else [])


def test_a_file_that_appeared_since_stays(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"theirs")
    assert not atomic.replace_unless_changed(tmp_path / "a", b"mine", None)
    assert (tmp_path / "a").read_bytes() == b"theirs"


def test_what_was_at_the_temporary_path_is_nobodys_to_remove(tmp_path: Path) -> None:
    (tmp_path / "temporary").write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        atomic.write_file(tmp_path / "a", b"mine", tmp_path / "temporary", durable=False)
    assert [each.read_bytes() for each in tmp_path.iterdir()] == [b"theirs"]


@pytest.mark.parametrize(
    ("name", "writer"),
    [
        (".a.md.12-0a1b2c3d.tmp", 12),
        (".a.md.12-0a1b2c3.tmp", None),
        (".a.md.x-0a1b2c3d.tmp", None),
        (".b.md.12-0a1b2c3d.tmp", None),
        (".aXmd.12-0a1b2c3d.tmp", None),
    ],
)
def test_a_temporary_file_tells_its_writer(name: str, writer: int | None) -> None:
    assert atomic.find_writer(name, "a.md") == writer


def test_a_killed_writers_file_has_a_name_that_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[str] = []
    monkeypatch.setattr(os, "replace", lambda source, _: left.append(os.path.basename(source)))  # noqa: PTH119
    atomic.replace_unless_changed(tmp_path / "a.md", b"one", None)
    assert [atomic.find_writer(name, "a.md") for name in left] == [os.getpid()]
