"""A pinned tree is complete without the user's repository, and there whole or not at all."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.workspace import GitWorkspace, open_workspace
from orchestrator.workspace.pinning import PinnedTree, check_out_pin, locate_pin, pin_tree, read_pin
from tests.workspace.repositories import commit, files_of, git, repository


def pinned(tree: str) -> PinnedTree:
    return PinnedTree(
        rule="r-1a2b3c",
        run="20261120-120431-ab12",
        attempt=2,
        tree=tree,
        task="make it green",
        cases=("tests/test_a.py::test_mean[ä]",),
        project="/p",
        at="2026-11-20T12:04:31+00:00",
    )


def rewrite_history(project: Path) -> None:
    """Do what a user does who amends the one commit and lets git clean up."""
    (project / "a.py").write_text("b = 2\n", encoding="utf-8")
    for path in project.iterdir():
        if path.name not in (".git", "a.py"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    git(project, "add", "-A")
    git(project, "commit", "-q", "--amend", "-m", "other")
    git(project, "reflog", "expire", "--expire=now", "--all")
    git(project, "gc", "-q", "--prune=now")


def odd_project(folder: Path) -> Path:
    """Make a repository with what git may change on its way in or out."""
    project = repository(folder, a_py="a = 1\n")
    (project / "crlf.txt").write_bytes(b"one\r\ntwo\n\xff\x00")
    (project / ".gitattributes").write_text("* text=auto eol=crlf ident\n", encoding="utf-8")
    (project / "ident.txt").write_text("$Id$\n", encoding="utf-8")
    (project / "empty").write_bytes(b"")
    program = project / "bin" / "run"
    program.parent.mkdir()
    program.write_bytes(b"#!/bin/sh\n")
    program.chmod(0o755)
    (project / "link").symlink_to("bin/run")
    (project / "a b\tc\n").write_bytes(b"odd name")
    commit(project)
    (project / "untracked.txt").write_text("not committed\n", encoding="utf-8")
    return project


def test_it_outlives_a_rewritten_history_byte_by_byte(tmp_path: Path) -> None:
    project = odd_project(tmp_path / "project")
    state = tmp_path / "state"
    workspace = open_workspace(project, state / "run")
    before, tree = files_of(project), workspace.take_snapshot().tree
    folder = locate_pin(state, pinned(tree))
    workspace.pin_snapshot(pinned(tree), folder)
    rewrite_history(project)
    shutil.rmtree(state / "run")
    assert check_out_pin(folder, tmp_path / "again") == pinned(tree) == read_pin(folder)
    assert files_of(tmp_path / "again") == before
    assert folder == state / "pinned" / "r-1a2b3c" / "20261120-120431-ab12.2"
    assert sorted(each.name for each in folder.iterdir()) == ["pinned.json", "tree.pack"]
    assert folder.stat().st_mode & 0o077 == 0
    assert list(folder.parent.iterdir()) == [folder]


def test_an_unpinned_snapshot_does_not_outlive_it(tmp_path: Path) -> None:
    project = odd_project(tmp_path / "project")
    workspace = open_workspace(project, tmp_path / "state")
    snapshot = workspace.take_snapshot()
    rewrite_history(project)
    assert workspace.read_file(snapshot, "ident.txt") is None
    with pytest.raises(InfrastructureError, match=r"pack-objects|ls-tree"):
        workspace.pin_snapshot(pinned(snapshot.tree), tmp_path / "pinned")
    assert not (tmp_path / "pinned").exists()
    assert list(tmp_path.glob(".*.draft")) == []


@pytest.mark.parametrize("kind", ["subfolder", "no git", "empty", "sha256"])
def test_any_project_can_be_pinned(tmp_path: Path, kind: str) -> None:
    top = tmp_path / "project"
    project = top / "inside" if kind == "subfolder" else top
    if kind == "sha256":
        top.mkdir()
        git(top, "init", "-q", "--object-format=sha256")
    elif kind == "subfolder":
        repository(top, other_py="x\n")
    project.mkdir(exist_ok=True, parents=True)
    if kind != "empty":
        (project / "a.py").write_text("a = 1\n", encoding="utf-8")
    workspace = open_workspace(project, tmp_path / "state")
    before = files_of(project)
    workspace.pin_snapshot(pinned(workspace.take_snapshot().tree), tmp_path / "pinned")
    check_out_pin(tmp_path / "pinned", tmp_path / "again")
    assert files_of(tmp_path / "again") == before


def test_a_tree_that_is_too_large_is_not_pinned(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", a_py="a = 1\n")
    (project / "big.bin").write_bytes(os.urandom(3 * 1024 * 1024))
    workspace, tree = snapshot_of(project, tmp_path)
    with pytest.raises(InfrastructureError, match="take 3 MB, and at most 2 MB"):
        pin_tree(workspace._git, pinned(tree), tmp_path / "pinned", most_bytes=2 << 20)
    assert not (tmp_path / "pinned").exists()


def snapshot_of(project: Path, tmp_path: Path) -> tuple[GitWorkspace, str]:
    workspace = open_workspace(project, tmp_path / "state")
    return workspace, workspace.take_snapshot().tree


def test_an_existing_pin_is_not_changed(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", a_py="a = 1\n")
    workspace, tree = snapshot_of(project, tmp_path)
    folder = tmp_path / "pinned"
    workspace.pin_snapshot(pinned(tree), folder)
    pack = (folder / "tree.pack").stat().st_mtime_ns
    workspace.pin_snapshot(pinned(tree), folder)
    assert (folder / "tree.pack").stat().st_mtime_ns == pack


def test_a_folder_that_is_damaged_or_a_place_that_is_taken_is_a_clear_error(
    tmp_path: Path,
) -> None:
    project = repository(tmp_path / "project", a_py="a = 1\n")
    workspace, tree = snapshot_of(project, tmp_path)
    folder = tmp_path / "pinned"
    workspace.pin_snapshot(pinned(tree), folder)
    with pytest.raises(InfrastructureError, match="is not empty"):
        check_out_pin(folder, project)
    pack = folder / "tree.pack"
    pack.write_bytes(pack.read_bytes()[:-30])
    with pytest.raises(InfrastructureError, match="index-pack"):
        check_out_pin(folder, tmp_path / "again")
    (folder / "pinned.json").write_text("{", encoding="ascii")
    with pytest.raises(InfrastructureError, match="holds no pinned tree"):
        read_pin(folder)


def test_what_a_killed_process_left_is_no_pinned_tree_and_is_replaced(tmp_path: Path) -> None:
    project = repository(tmp_path / "project", a_py="a = 1\n")
    workspace, tree = snapshot_of(project, tmp_path)
    folder = tmp_path / "rule" / "run.1"
    draft = folder.with_name(".run.1.draft")
    draft.mkdir(parents=True)
    (draft / "tree.pack").write_bytes(b"half")
    workspace.pin_snapshot(pinned(tree), folder)
    check_out_pin(folder, tmp_path / "again")
    assert list(folder.parent.iterdir()) == [folder]
