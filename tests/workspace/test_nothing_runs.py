"""Nothing that a repository configures is run, and inherited variables have no effect on git."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from orchestrator.workspace import open_workspace
from orchestrator.workspace.git import Git
from orchestrator.workspace.repository_history import open_private_history
from orchestrator.workspace.worktree import list_uncommitted, resolve_worktree
from tests.workspace.repositories import git, repository


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "was run"


def trap(repo: Path, marker: Path) -> None:
    """Configure a repository to run a program at every opportunity that git offers."""
    program = marker.with_name("program")
    program.write_text(f"#!/bin/sh\necho \"$0 $*\" >>'{marker}'\ncat\n", encoding="utf-8")
    program.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "diff.evil.textconv",
        "diff.evil.command",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "core.sshCommand",
        "credential.helper",
        "core.editor",
        "gpg.program",
    ):
        git(repo, "config", key, shlex.quote(str(program)))
    git(repo, "config", "filter.evil.required", "true")
    (repo / ".gitattributes").write_text("*.txt filter=evil diff=evil\n", encoding="utf-8")
    hooks = repo / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("post-index-change", "pre-commit", "post-checkout", "reference-transaction"):
        (hooks / name).write_bytes(program.read_bytes())
        (hooks / name).chmod(0o755)


def let_it_snap(repo: Path, *arguments: str) -> None:
    """Run git as somebody would who knows of no trap; that it fails does not matter."""
    subprocess.run(["git", *arguments], cwd=repo, capture_output=True, check=False)


def commit_in_a_worktree(project: Path, state: Path) -> None:
    """Let a run work in a work tree, as `--isolate` does, with git's commands of GitPython."""
    worktree = resolve_worktree(project, state / "worktrees" / "run-1", "orchestrator/run-1")
    worktree.create()
    (worktree.project / "b.md").write_bytes(b"new\n")
    worktree.commit("work")
    assert worktree.has_commits()
    assert worktree.list_uncommitted_paths() == ()
    worktree.remove(with_branch=False)
    assert list_uncommitted(project) is not None


def read_history(project: Path) -> None:
    """Read commits, as a search for withdrawn rules does."""
    history = open_private_history(Git(project))
    assert b"one" in history.read_patches("--all", "one", [project / "a.txt"])
    assert history.read_file("HEAD:./a.txt") == b"one\n"
    assert history.find_commit_time(project / "a.txt")


def use_everything(project: Path, state: Path) -> None:
    workspace = open_workspace(project, state)
    before = workspace.take_snapshot()
    (project / "a.txt").write_bytes(b"changed\n")
    (project / "new.txt").write_bytes(b"new\n")
    after = workspace.take_snapshot()
    assert len(workspace.diff_snapshots(before, after, state / "patch").changes) == 2
    assert workspace.restore_files(before, after) == ()
    open_workspace(project, state).take_snapshot()


def test_the_projects_repository_runs_nothing(project: Path, tmp_path: Path, marker: Path) -> None:
    repository(project, a_txt="one\n")
    trap(project, marker)
    let_it_snap(project, "status")
    assert marker.exists(), "the trap must be able to snap"
    marker.unlink()
    use_everything(project, tmp_path / "state")
    assert not marker.exists()


def test_a_repository_inside_runs_nothing(project: Path, tmp_path: Path, marker: Path) -> None:
    repository(project, a_txt="one\n")
    inner = repository(project / "inner", a_txt="one\n")
    trap(inner, marker)
    git(project, "-c", "advice.addEmbeddedRepo=false", "add", "inner")
    git(project, "commit", "-q", "-m", "a gitlink")
    let_it_snap(project, "add", "-A")
    assert marker.exists(), "the trap must be able to snap"
    marker.unlink()
    use_everything(project, tmp_path / "state")
    assert not marker.exists()


def test_the_users_global_filters_do_not_run(
    project: Path, tmp_path: Path, marker: Path, home: Path
) -> None:
    repository(project, a_txt="one\n")
    for key in ("filter.evil.clean", "filter.evil.smudge", "diff.external", "core.fsmonitor"):
        git(project, "config", "--global", key, f"touch '{marker}'; cat")
    (home / "attributes").write_text("* filter=evil\n", encoding="utf-8")
    git(project, "config", "--global", "core.attributesFile", str(home / "attributes"))
    use_everything(project, tmp_path / "state")
    assert not marker.exists()


def test_inherited_variables_have_no_effect(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    other = repository(tmp_path / "other", b_txt="two\n")
    commit_of_other = git(other, "rev-parse", "HEAD")
    inherited = {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_EXTERNAL_DIFF": "false",
        "GIT_LITERAL_PATHSPECS": "1",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "core.bare",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_TRACE": "1",
        "LANGUAGE": "de",
        "LC_ALL": "de_DE.UTF-8",
    }
    with monkeypatch.context() as patch:
        for name, value in inherited.items():
            patch.setenv(name, value)
        use_everything(project, tmp_path / "state")
    assert git(other, "rev-parse", "HEAD") == commit_of_other
    assert not (tmp_path / "objects").exists()
    assert not (tmp_path / "index").exists()


PROGRAMS_OF_FILTERS = ("filter.evil.clean", "filter.evil.smudge", "filter.evil.process")
"""Not run by commits and looks of our own, but by git's `checkout` and `add`: a work tree without
its filters would hold, and commit, other bytes than the user's."""


def test_commits_and_history_run_nothing(project: Path, tmp_path: Path, marker: Path) -> None:
    repository(project, a_txt="one\n")
    trap(project, marker)
    for key in PROGRAMS_OF_FILTERS:
        git(project, "config", "--unset", key)
    git(project, "config", "filter.evil.required", "false")
    for key in ("commit.gpgSign", "log.showSignature", "core.pager"):
        git(project, "config", key, "true")
    git(project, "config", "pager.version", str(marker.with_name("program")))
    let_it_snap(project, "diff")
    assert marker.exists(), "the trap must be able to snap"
    marker.unlink()
    read_history(project)
    commit_in_a_worktree(project, tmp_path / "state")
    assert not marker.exists()


def test_inherited_variables_do_not_reach_commits(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository(project, a_txt="one\n")
    other = repository(tmp_path / "other", b_txt="two\n")
    before = git(other, "rev-parse", "HEAD"), git(other, "status", "--porcelain")
    for name, value in {
        "GIT_DIR": str(other / ".git"),
        "GIT_WORK_TREE": str(other),
        "GIT_COMMON_DIR": str(other / ".git"),
        "GIT_INDEX_FILE": str(tmp_path / "index"),
        "GIT_OBJECT_DIRECTORY": str(tmp_path / "objects"),
        "GIT_PYTHON_GIT_EXECUTABLE": "/bin/false",
        "GIT_PYTHON_TRACE": "full",
    }.items():
        monkeypatch.setenv(name, value)
    read_history(project)
    commit_in_a_worktree(project, tmp_path / "state")
    monkeypatch.undo()
    assert (git(other, "rev-parse", "HEAD"), git(other, "status", "--porcelain")) == before
    assert git(project, "show", "orchestrator/run-1:b.md") == b"new\n"
    assert not (tmp_path / "objects").exists()
    assert not (tmp_path / "index").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user_is_looked_at(project: Path, tmp_path: Path) -> None:
    repository(project, a_txt="one\n")
    for path in (project, project / ".git"):
        os.chown(path, 65534, 65534)
    refused = subprocess.run(["git", "status"], cwd=project, capture_output=True, check=False)
    assert b"dubious ownership" in refused.stderr
    use_everything(project, tmp_path / "state")
