"""A work tree beside the user's, in real repositories."""

from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.workspace.worktree import Worktree, list_uncommitted, resolve_worktree
from tests.workspace.repositories import commit, git, repository, snapshot_git_folder

BRANCH = "orchestrator/run-1"


def made(project: Path, state: Path) -> Worktree:
    worktree = resolve_worktree(project, state / "run-1", BRANCH)
    worktree.create()
    return worktree


def users_own(repo: Path) -> dict[str, tuple[int, int, bytes]]:
    """All of a repository but what a worktree adds: its branch, its entry, its objects."""
    ours = (".git/objects", ".git/worktrees", "/orchestrator")
    return {
        path: (mode, 0 if path.endswith(("/heads", "/logs/refs")) else time, content)
        for path, (mode, time, content) in snapshot_git_folder(repo).items()
        if not any(part in path for part in ours) and path not in (str(repo / ".git"),)
    }


def test_the_users_checkout_is_untouched_and_the_branch_has_the_work(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n", CLAUDE_md="Be kind.\n")
    (repo / "a.py").write_text("a = 'not committed'\n", encoding="utf-8")
    git(repo, "add", "a.py")
    (repo / "b.py").write_text("b = 'not even added'\n", encoding="utf-8")
    git(repo, "status")  # lets git refresh its index now, and not while we look
    before = users_own(repo)
    worktree = made(repo, tmp_path / "state")
    assert (worktree.project / "a.py").read_text(encoding="utf-8") == "a = 1\n"
    assert not (worktree.project / "b.py").exists()
    (worktree.project / "a.py").write_text("a = 2\n", encoding="utf-8")
    (worktree.project / "__pycache__").mkdir()
    (worktree.project / "__pycache__" / "a.pyc").write_bytes(b"x")
    worktree.commit("Make it two\n\nRun: run-1\n")
    assert worktree.has_commits()
    worktree.remove(with_branch=False)
    assert users_own(repo) == before
    assert git(repo, "show", f"{BRANCH}:a.py") == b"a = 2\n"
    assert git(repo, "diff", "--name-only", f"HEAD...{BRANCH}").split() == [b"a.py"]
    assert git(repo, "log", "-1", "--format=%B", BRANCH).startswith(b"Make it two\n\nRun: run-1")
    assert not worktree.folder.exists()
    assert git(repo, "worktree", "list").count(b"\n") == 1
    assert set(list_uncommitted(repo)) == {"a.py", "b.py"}


def test_committing_again_adds_what_came_since_and_else_nothing(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n")
    worktree = made(repo, tmp_path / "state")
    worktree.commit("nothing")
    assert not worktree.has_commits()
    (worktree.project / "a.py").write_text("a = 2\n", encoding="utf-8")
    worktree.commit("one")
    worktree.commit("one")
    assert git(repo, "rev-list", "--count", f"HEAD..{BRANCH}") == b"1\n"
    worktree.remove(with_branch=True)
    assert git(repo, "branch", "--list", BRANCH) == b""


def test_private_files_are_not_committed_even_if_the_agent_has_done_so(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n", kept_md="1\n", _gitignore="CLAUDE.md\nsecret\n")
    worktree = made(repo, tmp_path / "state")
    for name in ("CLAUDE.md", "AGENTS.md", "secret", "kept.md", "b.py"):
        (worktree.project / name).write_text("x\n", encoding="utf-8")
    git(worktree.project, "add", "-f", "CLAUDE.md", "kept.md")
    git(worktree.project, "commit", "-q", "-m", "the agent's own")
    worktree.commit("work", ["CLAUDE.md", "AGENTS.md", "kept.md", "missing.md"])
    assert git(repo, "diff", "--name-only", f"HEAD..{BRANCH}") == b"b.py\n"
    assert worktree.list_uncommitted_paths(["AGENTS.md", "kept.md"]) == ()


def test_what_is_outside_of_a_sparse_checkout_is_committed_too(
    project: Path, tmp_path: Path
) -> None:
    repo = repository(project, a_py="a = 1\n", b_md="1\n")
    git(repo, "sparse-checkout", "set", "--no-cone", "/a.py")
    worktree = made(repo, tmp_path / "state")
    (worktree.project / "new.md").write_text("x\n", encoding="utf-8")
    worktree.commit("work")
    assert git(repo, "diff", "--name-only", f"HEAD..{BRANCH}") == b"new.md\n"


def test_a_project_in_a_subfolder(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    (repo / "part").mkdir()
    (repo / "part" / "b.py").write_text("b = 1\n", encoding="utf-8")
    commit(repo)
    worktree = made(repo / "part", tmp_path / "state")
    assert worktree.project == worktree.folder / "part"
    assert (worktree.project / "b.py").is_file()


def test_what_an_agent_may_do_to_its_work_tree(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n")
    git(repo, "config", "commit.gpgSign", "true")
    marker = tmp_path / "was run"
    for hook in ("pre-commit", "post-commit", "post-checkout", "reference-transaction"):
        (repo / ".git" / "hooks" / hook).write_text(
            f"#!/bin/sh\ntouch '{marker}'\n", encoding="utf-8"
        )
        (repo / ".git" / "hooks" / hook).chmod(0o755)
    worktree = made(repo, tmp_path / "state")
    evil = repository(tmp_path / "evil", e_py="evil\n")
    (worktree.folder / ".git").write_text(f"gitdir: {evil}/.git\n", encoding="utf-8")
    (worktree.project / "a.py").write_text("a = 2\n", encoding="utf-8")
    worktree.commit("work")
    worktree.remove(with_branch=False)
    assert git(repo, "show", f"{BRANCH}:a.py") == b"a = 2\n"
    assert git(evil, "log", "--oneline").count(b"\n") == 1
    assert not marker.exists()


@pytest.mark.parametrize("state", ["no repository", "no commit", "not in the commit"])
def test_a_project_that_cannot_be_isolated_is_refused(
    state: str, project: Path, tmp_path: Path
) -> None:
    folder = project
    if state != "no repository":
        repository(project)
    if state == "not in the commit":
        (project / "a").write_text("a", encoding="utf-8")
        commit(project)
        folder = project / "new"
        folder.mkdir()
        (folder / "b").write_text("b", encoding="utf-8")
    with pytest.raises(UsageError, match="cannot be isolated") as caught:
        resolve_worktree(folder, tmp_path / "state" / "run-1", BRANCH)
    assert caught.value.hint
