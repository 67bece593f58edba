"""Files that are too large for a patch are listed and left out of it."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.workspace import open_workspace, trees
from tests.workspace.repositories import git, repository


def test_the_largest_files_are_left_out_of_a_patch_and_named_in_it(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "LARGEST_PATCH", 10_000)
    repo = repository(project, a_py="a = 1\n", gone_bin="x" * 9000)
    copy = tmp_path / "copy"
    shutil.copytree(repo, copy)
    workspace = open_workspace(repo, tmp_path / "state")
    before = workspace.take_snapshot()
    (repo / "a.py").write_text("a = 2\n", encoding="utf-8")
    (repo / "gone.bin").unlink()
    for name, size in {"big\n.bin": 50_000, "big.txt": 40_000, "[small].txt": 500}.items():
        (repo / name).write_bytes(os.urandom(size) if name.endswith("bin") else b"line\n" * size)
    patch = tmp_path / "the.patch"
    diff = workspace.diff_snapshots(before, workspace.take_snapshot(), patch)
    changed = {"a.py", "big\n.bin", "big.txt", "[small].txt", "gone.bin"}
    assert {change.path for change in diff.changes} == changed
    assert patch.stat().st_size < 40_000
    said = [line for line in patch.read_bytes().splitlines() if line.startswith(b"#")]
    assert said == [
        b"# too large for this patch: big\\n.bin",
        b"# too large for this patch: big.txt",
        b"# too large for this patch: gone.bin",
    ]
    git(copy, "apply", "--binary", str(patch))
    assert (copy / "a.py").read_text(encoding="utf-8") == "a = 2\n"
    assert (copy / "[small].txt").exists()
    assert (copy / "gone.bin").exists()
    assert not (copy / "big.txt").exists()


def test_a_project_in_a_subfolder_leaves_out_its_own_file(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "LARGEST_PATCH", 1000)
    repo = repository(project, a_py="a = 1\n")
    (repo / "sub").mkdir()
    workspace = open_workspace(repo / "sub", tmp_path / "state")
    before = workspace.take_snapshot()
    (repo / "sub/big").write_bytes(b"x" * 5000)
    (repo / "sub/small").write_bytes(b"x\n")
    patch = tmp_path / "the.patch"
    diff = workspace.diff_snapshots(before, workspace.take_snapshot(), patch)
    assert {Path(change.path).name for change in diff.changes} == {"big", "small"}
    assert patch.read_bytes().count(b"diff --git") == 1
