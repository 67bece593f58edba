"""What goes wrong says what, where, and a hint."""

import os
import shutil
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.models import Snapshot
from orchestrator.workspace import open_workspace
from tests.workspace.repositories import files_of, git, repository, snapshot_git_folder

REAL_GIT = shutil.which("git")


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Make a `git` of our own the one that is found."""
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


def test_no_git(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InfrastructureError, match="git cannot be started") as caught:
        open_workspace(project, tmp_path / "state")
    assert "install git" in caught.value.hint


def test_no_project(project: Path, tmp_path: Path) -> None:
    with pytest.raises(InfrastructureError, match="is not a folder"):
        open_workspace(project / "nowhere", tmp_path / "state")


def test_a_failing_git_is_quoted_in_full(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_on_path(tmp_path / "bin", monkeypatch, "echo 'first line' >&2; echo 'last' >&2; exit 77")
    with pytest.raises(InfrastructureError) as caught:
        open_workspace(project, tmp_path / "state")
    message = caught.value.message
    assert "git rev-parse --is-inside-work-tree" in message
    assert "exit code 77" in message
    assert "first line\nlast" in message
    assert str(project) in message
    assert caught.value.hint


def test_a_broken_configuration_is_not_taken_for_no_repository(
    project: Path, tmp_path: Path
) -> None:
    repository(project, a_txt="one\n")
    (project / ".git" / "config").write_text("[core\n", encoding="utf-8")
    with pytest.raises(InfrastructureError, match="bad config"):
        open_workspace(project, tmp_path / "state")


def test_a_broken_index_is_reported(project: Path, tmp_path: Path) -> None:
    repository(project, a_txt="one\n")
    (project / ".git" / "index").write_bytes(b"no index")
    with pytest.raises(InfrastructureError, match="index file"):
        open_workspace(project, tmp_path / "state")


def test_a_full_disk_is_called_that(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    workspace = open_workspace(project, tmp_path / "state")
    (project / "b.txt").write_bytes(b"b\n")
    # What git 2.39 says and does on a full file system.
    full = (
        "error: unable to create temporary file: No space left on device\n"
        "error: b.txt: failed to insert into database\nerror: unable to index file 'b.txt'"
    )
    script = f'case "$*" in *" add "*) echo "{full}" >&2; exit 1;; esac; exec {REAL_GIT} "$@"'
    put_on_path(tmp_path / "bin", monkeypatch, script)
    with pytest.raises(InfrastructureError, match="No space left on device") as caught:
        workspace.take_snapshot()
    assert "the disk is full" in caught.value.hint


def test_objects_that_cannot_be_stored_are_no_unseen_files(project: Path, tmp_path: Path) -> None:
    repository(project, a_txt="one\n")
    state = tmp_path / "state"
    workspace = open_workspace(project, state)
    (state / "git" / "objects").rename(state / "git" / "gone")
    (state / "git" / "objects").mkdir()
    blob = git(project, "hash-object", "--stdin", stdin=b"b\n").decode()
    (state / "git" / "objects" / blob[:2]).write_bytes(b"in the way")
    (project / "b.txt").write_bytes(b"b\n")
    with pytest.raises(InfrastructureError, match="git add"):
        workspace.take_snapshot()


def test_a_state_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    (tmp_path / "state").write_bytes(b"a file")
    with pytest.raises(InfrastructureError, match="cannot be written") as caught:
        open_workspace(project, tmp_path / "state")
    assert "state directory" in caught.value.hint


def test_a_patch_that_cannot_be_written(project: Path, tmp_path: Path) -> None:
    workspace = open_workspace(project, tmp_path / "state")
    snapshot = workspace.take_snapshot()
    with pytest.raises(InfrastructureError, match="cannot be written"):
        workspace.diff_snapshots(snapshot, snapshot, tmp_path / "nowhere" / "patch")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_patch_that_does_not_fit(project: Path, tmp_path: Path) -> None:
    workspace = open_workspace(project, tmp_path / "state")
    before = workspace.take_snapshot()
    (project / "a.txt").write_bytes(b"one\n")
    with pytest.raises(InfrastructureError, match="write failure") as caught:
        workspace.diff_snapshots(before, workspace.take_snapshot(), Path("/dev/full"))
    assert "the disk is full" in caught.value.hint


def test_an_unknown_snapshot(project: Path, tmp_path: Path) -> None:
    workspace = open_workspace(project, tmp_path / "state")
    with pytest.raises(InfrastructureError, match="bad object"):
        workspace.restore_files(Snapshot("1" * 40), workspace.take_snapshot())


def test_a_failed_snapshot_leaves_the_project_alone(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    workspace = open_workspace(project, tmp_path / "state")
    files, untouched = files_of(project), snapshot_git_folder(project / ".git")
    put_on_path(tmp_path / "bin", monkeypatch, "exit 1")
    with pytest.raises(InfrastructureError):
        workspace.take_snapshot()
    assert (files_of(project), snapshot_git_folder(project / ".git")) == (files, untouched)


def test_a_failed_restore_changes_nothing_and_can_be_done_again(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    workspace = open_workspace(project, tmp_path / "state")
    before_files, before = files_of(project), workspace.take_snapshot()
    (project / "a.txt").write_bytes(b"two\n")
    (project / "b.txt").write_bytes(b"b\n")
    after_files, after = files_of(project), workspace.take_snapshot()
    said = "error: unable to write file a.txt"
    fails = f'case "$*" in *checkout-index*) echo "{said}" >&2; exit 1;; esac'
    with monkeypatch.context() as patched:
        put_on_path(tmp_path / "bin", patched, f'{fails}; exec {REAL_GIT} "$@"')
        with pytest.raises(InfrastructureError, match="unable to write file") as caught:
            workspace.restore_files(before, after)
    assert "the disk is full" in caught.value.hint
    assert files_of(project) == after_files
    assert workspace.restore_files(before, after) == ()
    assert files_of(project) == before_files


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(project: Path, tmp_path: Path) -> None:
    repository(project, a_txt="one\n")
    (project / "b.txt").write_bytes(b"b\n")
    (project / "b.txt").chmod(0)
    (project / "closed").mkdir(mode=0)
    workspace = open_workspace(project, tmp_path / "state")
    before = workspace.take_snapshot()
    assert workspace.unseen_paths == ("b.txt", "closed/")
    (project / "b.txt").chmod(0o644)
    assert workspace.restore_files(before, workspace.take_snapshot()) == ("b.txt",)
    assert (project / "b.txt").read_bytes() == b"b\n"
