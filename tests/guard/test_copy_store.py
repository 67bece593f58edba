"""Copies are read byte for byte, and runs of one project share them."""

import shutil
import zlib
from pathlib import Path

import pytest

from orchestrator.guard.copy_store import CopyStore

DATA = b"def test_add(): assert add(1, 1) == 2\n" * 100


def copies_of(folder: Path, number: int) -> CopyStore:
    return CopyStore(folder / "runs" / f"20261127-04400{number}-abcd" / "guard")


def test_what_was_kept_comes_back(tmp_path: Path) -> None:
    copies = copies_of(tmp_path, 1)
    found = {copies.write_copy(data): data for data in (b"", b"\xff\0\r\n", DATA)}
    assert {digest: copies.read_copy(digest) for digest in found} == found
    assert sum(path.stat().st_size for path in copies.folder.iterdir()) < len(DATA) / 4
    assert copies.read_copy("0" * 64) is None
    assert copies.read_copy("") is None


def test_runs_share_what_is_the_same_and_each_outlives_the_other(tmp_path: Path) -> None:
    first, second, third = (copies_of(tmp_path, number) for number in (1, 2, 3))
    digest = first.write_copy(DATA)
    assert second.write_copy(DATA) == third.write_copy(DATA) == digest
    assert (first.folder / digest).stat().st_nlink == 3
    shutil.rmtree(first.folder.parent.parent)
    assert (second.read_copy(digest), third.read_copy(digest)) == (DATA, DATA)


@pytest.mark.parametrize("data", [b"", b"weak", zlib.compress(b"weak")])
def test_what_was_changed_in_an_earlier_run_is_not_shared(tmp_path: Path, data: bytes) -> None:
    first, second = copies_of(tmp_path, 1), copies_of(tmp_path, 2)
    digest = first.write_copy(DATA)
    (first.folder / digest).write_bytes(data)
    second.write_copy(DATA)
    assert second.read_copy(digest) == DATA
    assert first.read_copy(digest) is None
