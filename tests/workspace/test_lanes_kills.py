"""A process that is killed while it makes lanes or publishes: called again, it completes."""

import sys
from pathlib import Path

import pytest

from orchestrator.workspace import (
    lane_base,
    lane_files,
    lane_history,
    lane_trees,
    lanes,
    publishing,
)
from tests.killed_lines import die_at
from tests.rulebook.writers import fork, reap
from tests.workspace.lanes import add_lanes, open_lanes, users_own, write
from tests.workspace.lanes import lane_files as files_in
from tests.workspace.repositories import files_of, git, repository

MODULES = (lane_base, lane_files, lane_history, lane_trees, lanes, publishing)
FILES = {module.__file__ for module in MODULES}


def carry_out(repo: Path, state: Path, branch: str) -> str:
    """Do all that is done with a lane once; return the commit that is published."""
    opened = open_lanes(repo, state)
    (folder,) = add_lanes(opened, 1)
    base = opened.create_base()
    write(folder, "a.py", "a = 'work'\n")
    write(folder, "sub/new.py")
    work = opened.snapshot_lane(folder, base, "Do it")
    opened.set_ref("refs/orchestrator/work/r-1", work)
    opened.reset_lane(folder, base)
    published = opened.resolve(f"refs/heads/{branch}") or work
    assert opened.publish(published, branch) == ""
    return published


def check_kills(repo: Path, tmp_path: Path, step: int) -> int:
    """Kill a process at every so many lines; return how many kills that were."""
    before, files = users_own(repo), files_of(repo)
    line, kills, killed = 0, 0, True
    while killed:
        line += step
        state, branch = tmp_path / f"state{line}", f"orchestrator/tasks-{line}"

        def work(line: int = line, state: Path = state, branch: str = branch) -> None:
            sys.settrace(die_at(line, FILES))
            carry_out(repo, state, branch)
            sys.settrace(None)

        killed = reap(fork(work))
        kills += killed
        published = carry_out(repo, state, branch)
        opened = open_lanes(repo, state)
        folder = opened.folder.parent / "lanes" / "1"
        assert git(repo, "rev-parse", branch).decode().strip() == published
        assert git(repo, "show", f"{branch}:sub/new.py") == b"x\n"
        assert files_in(folder) == files
        assert git(folder, "status", "--porcelain") == b""
        assert not opened.folder.with_name("repository.git.draft").exists()
        git(opened.folder, "fsck", "--connectivity-only")
        after = {path: facts for path, facts in users_own(repo).items() if path in before}
        assert {
            path
            for path, facts in before.items()
            if after[path] != facts and not path.endswith((".git", "/heads"))
        } == set()
        assert files_of(repo) == files
    return kills


def make_repository(project: Path) -> Path:
    repo = repository(project, a_py="a = 1\n", b_py="b = 1\n")
    write(repo, "a.py", "a = 2\n")
    write(repo, "new.py")
    return repo


def test_a_few_kills(project: Path, tmp_path: Path) -> None:
    assert check_kills(make_repository(project), tmp_path, 101) > 2


@pytest.mark.whole
@pytest.mark.long
def test_kills_at_many_lines(project: Path, tmp_path: Path) -> None:
    assert check_kills(make_repository(project), tmp_path, 9) > 40
