"""Instruction files that git does not have come into a work tree, and never into a commit."""

import os
from pathlib import Path

import pytest

from orchestrator.workspace.carrying import CarriedFiles, is_instruction_file, list_private_files
from orchestrator.workspace.merge_obstacles import MergeObstacles, find_merge_obstacles
from orchestrator.workspace.worktree import Worktree, resolve_worktree
from tests.workspace.repositories import commit, git, repository

BRANCH = "orchestrator/run-1"


def write(folder: Path, *names: str, text: str = "mine\n") -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")


def with_subfolder(project: Path, **files: str) -> Path:
    """Make a repository with files at its top and in `sub/`."""
    write(project, "sub/b.py", text="b = 1\n")
    repo = repository(project, a_py="a = 1\n", **files)
    assert b"sub/b.py" in git(repo, "ls-files")
    return repo


def carry(project: Path, state: Path) -> CarriedFiles:
    worktree = resolve_worktree(project, state / "run-1", BRANCH)
    worktree.create()
    carried = CarriedFiles(worktree, state / "carried")
    assert carried.carry() == ()
    return carried


def find_worktree(carried: CarriedFiles) -> Worktree:
    assert isinstance(carried.worktree, Worktree)
    return carried.worktree


def finish(worktree: Worktree, private: tuple[str, ...] = ()) -> MergeObstacles:
    worktree.commit("work", private)
    return find_merge_obstacles(worktree)


@pytest.mark.parametrize("way", ["gitignore", "exclude", "excludesFile", "untracked"])
def test_files_are_carried_however_git_does_not_track_them(
    way: str, project: Path, tmp_path: Path, home: Path
) -> None:
    patterns = "CLAUDE.md\nCLAUDE.local.md\nAGENTS.md\n.claude/\n"
    ignored = {"_gitignore": patterns} if way == "gitignore" else {}
    repo = with_subfolder(project, **ignored)
    if way == "exclude":
        (repo / ".git/info/exclude").write_text(patterns, encoding="utf-8")
    if way == "excludesFile":
        (home / "ignore").write_text(patterns, encoding="utf-8")
        git(repo, "config", "--global", "core.excludesFile", str(home / "ignore"))
    names = [
        *(".claude/agents/a.md", ".claude/commands/deep/c.md", ".claude/rules/r.md"),
        *(".claude/settings.local.json", ".claude/skills/s/SKILL.md"),
        *("AGENTS.md", "CLAUDE.local.md", "CLAUDE.md", "sub/CLAUDE.md"),
    ]
    write(repo, *names)
    write(repo, ".claude/worktrees/w/CLAUDE.txt", ".claude/projects/p.jsonl", ".env")
    carried = carry(repo, tmp_path)
    assert list(carried.list_paths()) == names
    assert all((carried.worktree.folder / name).read_text() == "mine\n" for name in names)
    assert not (carried.worktree.folder / ".claude/worktrees").exists()
    assert not (carried.worktree.folder / ".env").exists()
    finish(find_worktree(carried), carried.list_paths())
    assert not find_worktree(carried).has_commits()


@pytest.mark.parametrize("flag", ["--skip-worktree", "--assume-unchanged"])
def test_changes_hidden_from_git_stay_the_users_own(
    flag: str, project: Path, tmp_path: Path
) -> None:
    repo = repository(project, CLAUDE_md="everybody's\n", README_md="1\n")
    git(repo, "update-index", flag, "CLAUDE.md", "README.md")
    write(repo, "CLAUDE.md", "README.md")
    carried = carry(repo, tmp_path)
    assert carried.list_paths() == ("CLAUDE.md",)
    assert (carried.worktree.folder / "CLAUDE.md").read_text() == "mine\n"
    write(carried.worktree.folder, "CLAUDE.md", text="mine\nand a rule\n")
    finish(find_worktree(carried), ("CLAUDE.md",))
    assert not find_worktree(carried).has_commits()
    assert git(repo, "show", f"{BRANCH}:CLAUDE.md") == b"everybody's\n"


def test_what_git_tracks_is_not_private(project: Path, tmp_path: Path) -> None:
    repo = repository(project, CLAUDE_md="ours\n")
    write(repo, ".gitignore", text="CLAUDE.md\n")
    commit(repo)
    carried = carry(repo, tmp_path)
    assert carried.list_paths() == ()
    assert carried.list_private_paths(["CLAUDE.md", "sub/CLAUDE.md"]) == ("sub/CLAUDE.md",)


def test_links_are_carried_as_links(project: Path, tmp_path: Path) -> None:
    repo = with_subfolder(project, _gitignore="CLAUDE*.md\n")
    write(tmp_path, "outside.md")
    (repo / "CLAUDE.md").symlink_to("sub/b.py")
    (repo / "CLAUDE.local.md").symlink_to("../outside.md")
    (repo / "sub/CLAUDE.md").symlink_to("missing.md")
    carried = carry(repo, tmp_path / "state")
    folder = carried.worktree.folder
    assert carried.list_paths() == ("CLAUDE.local.md", "CLAUDE.md")
    assert (folder / "CLAUDE.md").resolve() == folder / "sub/b.py"
    assert (folder / "CLAUDE.local.md").resolve() == tmp_path / "outside.md"


def test_what_is_no_file_or_too_large_is_left_out(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n", _gitignore="*.md\n")
    os.mkfifo(repo / "CLAUDE.md")
    (repo / "AGENTS.md").mkdir()
    with (repo / "CLAUDE.local.md").open("wb") as file:
        file.truncate(10_000_001)
    worktree = resolve_worktree(repo, tmp_path / "run-1", BRANCH)
    worktree.create()
    carried = CarriedFiles(worktree, tmp_path / "carried")
    assert carried.carry() == ("CLAUDE.local.md",)
    assert carried.list_paths() == ()


def test_carrying_again_takes_what_the_files_are_by_then(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n", _gitignore="CLAUDE.md\n")
    write(repo, "CLAUDE.md")
    carried = carry(repo, tmp_path)
    write(repo, "CLAUDE.md", text="newer\n")
    (repo / "CLAUDE.md").chmod(0o600)
    assert carried.carry() == ()
    assert (carried.worktree.folder / "CLAUDE.md").read_text() == "newer\n"
    assert (carried.worktree.folder / "CLAUDE.md").stat().st_mode & 0o777 == 0o600


def test_instructions_that_a_sparse_checkout_leaves_out_are_checked_out(
    project: Path, tmp_path: Path
) -> None:
    """A rule would else be written into an empty file, and that would be committed."""
    repo = repository(project, a_py="a = 1\n", CLAUDE_md="ours\n")
    git(repo, "sparse-checkout", "set", "--no-cone", "/a.py")
    assert not (repo / "CLAUDE.md").exists()
    carried = carry(repo, tmp_path)
    assert (carried.worktree.folder / "CLAUDE.md").read_text() == "ours\n"
    write(carried.worktree.folder, "CLAUDE.md", text="ours\nand a rule\n")
    assert finish(find_worktree(carried)) == MergeObstacles()
    assert git(repo, "show", f"{BRANCH}:CLAUDE.md") == b"ours\nand a rule\n"


def test_many_untracked_files_are_one_entry(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n", _gitignore="node_modules/\n")
    write(repo, "node_modules/p/CLAUDE.md", "build/AGENTS.md")
    assert list_private_files(repo) == []


@pytest.mark.parametrize(
    ("path", "is_one"),
    [
        ("CLAUDE.md", True),
        ("a/b/AGENTS.md", True),
        (".claude/settings.json", True),
        ("a/.claude/skills/s/data.bin", True),
        (".claude/CLAUDE.md", True),
        (".claude", False),
        ("claude.md", False),
        (".claude/history.jsonl", False),
        ("skills/a.md", False),
        (".env", False),
    ],
)
def test_which_files_are_instructions(path: str, is_one: bool) -> None:
    assert is_instruction_file(path) == is_one


# ---- what a merge would meet


def test_untracked_files_are_in_the_way_of_a_merge(project: Path, tmp_path: Path) -> None:
    repo = with_subfolder(project, _gitignore="*.log\nout\n")
    worktree = find_worktree(carry(repo, tmp_path))
    branch = ["seen.log", "same.txt", "note.txt", "out/deep/x.py", "sub/c.py", "d/e.py", "free.py"]
    write(worktree.folder, *branch, text="the agent's\n")
    git(worktree.folder, "add", "-f", "seen.log", "out")
    write(repo, "seen.log", "note.txt", "out")
    write(repo, "same.txt", text="the agent's\n")
    (repo / "d").symlink_to("sub")
    (repo / "sub/c.py").mkdir()
    assert sorted(finish(worktree).untracked) == ["d", "note.txt", "out", "seen.log", "sub/c.py"]
    assert (repo / "seen.log").read_text() == "mine\n"


def test_uncommitted_changes_are_in_the_way_of_a_merge(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n", b_py="b = 1\n")
    worktree = find_worktree(carry(repo, tmp_path))
    write(worktree.folder, "a.py", text="a = 2\n")
    write(repo, "a.py", text="a = 3\n")
    write(repo, "b.py", text="b = 3\n")
    assert finish(worktree) == MergeObstacles((), ("a.py",))


def test_nothing_is_in_the_way_of_a_clean_merge(project: Path, tmp_path: Path) -> None:
    repo = repository(project, a_py="a = 1\n", b_py="b = 1\n")
    worktree = find_worktree(carry(repo, tmp_path))
    write(worktree.folder, "a.py", "new/\xe9.py", text="a = 2\n")
    (worktree.folder / "b.py").unlink()
    write(repo, "other.py")
    assert finish(worktree) == MergeObstacles()
