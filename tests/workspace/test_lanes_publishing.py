"""What arrives in the user's repository: one branch, if nobody else has changed it."""

from pathlib import Path

import pytest

from orchestrator.workspace import publishing
from orchestrator.workspace.lane_history import LaneHistory
from orchestrator.workspace.lanes import LaneRepository
from tests.workspace.lanes import BRANCH, add_lanes, open_lanes, users_own, write
from tests.workspace.repositories import commit, git, repository


@pytest.fixture
def lanes(project: Path, tmp_path: Path) -> LaneRepository:
    repo = repository(project, a_py="a = 1\n")
    write(repo, "new.py")
    return open_lanes(repo, tmp_path / "state")


def land(lanes: LaneRepository, on: str, content: bytes) -> str:
    return lanes.replace_files(on, {"a.py": content}, f"Land {content!r}")


def tip(lanes: LaneRepository) -> str:
    return git(lanes.project, "rev-parse", BRANCH).decode().strip()


def test_only_the_branch_is_new_in_the_users_repository(
    lanes: LaneRepository, tmp_path: Path
) -> None:
    repo = lanes.project
    marker = tmp_path / "was run"
    for hook in ("post-checkout", "post-merge", "reference-transaction", "post-commit"):
        script = repo / ".git" / "hooks" / hook
        script.write_text(f"#!/bin/sh\ntouch '{marker}'\n", encoding="utf-8")
        script.chmod(0o755)
    write(repo, "staged.py")
    git(repo, "add", "staged.py")
    base = lanes.create_base()
    git(lanes.folder, "tag", "a-tag", base)
    status = git(repo, "status", "--porcelain")  # it may write the index
    before = users_own(repo)
    one = land(lanes, base, b"1\n")
    two = land(lanes, one, b"2\n")
    assert lanes.publish(one, BRANCH) == ""
    assert lanes.publish(one, BRANCH) == ""
    assert lanes.publish(two, BRANCH) == ""
    assert tip(lanes) == two
    after = users_own(repo)
    new = {path for path in after if path not in before}
    assert {Path(path).relative_to(repo / ".git").parts[0] for path in new} == {"refs", "logs"}
    assert all("orchestrator" in path for path in new)
    folders = {str(repo / ".git" / name) for name in ("refs/heads", "logs/refs/heads")}
    folders.add(str(repo / ".git"))
    assert {
        path for path, facts in before.items() if after[path] != facts and path not in folders
    } == set()
    assert git(repo, "status", "--porcelain") == status
    assert not marker.exists()
    assert not lanes.is_published(land(lanes, two, b"3\n"))
    assert lanes.is_published(one)
    assert lanes.is_published(base)


def test_nothing_is_published_is_as_good_as_the_base(lanes: LaneRepository) -> None:
    assert lanes.is_published(lanes.create_base())


def test_a_branch_that_the_user_has_changed_is_left(lanes: LaneRepository) -> None:
    repo = lanes.project
    base = lanes.create_base()
    one = land(lanes, base, b"1\n")
    git(repo, "branch", BRANCH)
    assert "changed by somebody else" in lanes.publish(one, BRANCH)
    git(repo, "branch", "-D", BRANCH)
    assert lanes.publish(one, BRANCH) == ""
    git(repo, "branch", "-f", BRANCH, f"{one}^")
    assert "changed by somebody else" in lanes.publish(land(lanes, one, b"2\n"), BRANCH)
    assert tip(lanes) == base


def test_commits_that_the_user_has_added_are_left(lanes: LaneRepository, tmp_path: Path) -> None:
    repo = lanes.project
    one = land(lanes, lanes.create_base(), b"1\n")
    assert lanes.publish(one, BRANCH) == ""
    git(repo, "worktree", "add", "-q", str(tmp_path / "theirs"), BRANCH)
    write(tmp_path / "theirs", "theirs.py")
    commit(tmp_path / "theirs")
    git(repo, "worktree", "remove", str(tmp_path / "theirs"))
    added = tip(lanes)
    assert lanes.publish(one, BRANCH) == ""
    assert "changed by somebody else" in lanes.publish(land(lanes, one, b"2\n"), BRANCH)
    assert tip(lanes) == added


def test_a_branch_that_is_checked_out_is_left(lanes: LaneRepository, tmp_path: Path) -> None:
    repo = lanes.project
    one = land(lanes, lanes.create_base(), b"1\n")
    assert lanes.publish(one, BRANCH) == ""
    theirs = tmp_path / "their\ntree"
    git(repo, "worktree", "add", "-q", str(theirs), BRANCH)
    two = land(lanes, one, b"2\n")
    assert "is checked out in" in lanes.publish(two, BRANCH)
    git(theirs, "checkout", "-q", "--detach")
    (entry,) = (repo / ".git" / "worktrees").iterdir()
    (entry / "rebase-merge").mkdir()
    (entry / "rebase-merge" / "head-name").write_text(f"refs/heads/{BRANCH}\n", encoding="ascii")
    assert "is checked out in" in lanes.publish(two, BRANCH)
    (entry / "rebase-merge" / "head-name").unlink()
    assert lanes.publish(two, BRANCH) == ""
    git(repo, "symbolic-ref", "HEAD", "refs/heads/not-yet")
    assert "is checked out in" in lanes.publish(two, "not-yet")


def test_a_branch_that_the_user_has_deleted_is_made_again(lanes: LaneRepository) -> None:
    one = land(lanes, lanes.create_base(), b"1\n")
    assert lanes.publish(one, BRANCH) == ""
    git(lanes.project, "branch", "-D", BRANCH)
    assert lanes.publish(land(lanes, one, b"2\n"), BRANCH) == ""


def test_a_branch_in_the_way_is_named(lanes: LaneRepository) -> None:
    git(lanes.project, "branch", "orchestrator")
    one = land(lanes, lanes.create_base(), b"1\n")
    assert "could not set the branch" in lanes.publish(one, BRANCH)


def test_a_branch_that_moves_at_the_last_moment_is_left(
    lanes: LaneRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = land(lanes, lanes.create_base(), b"1\n")
    assert lanes.publish(one, BRANCH) == ""
    two = land(lanes, one, b"2\n")
    find_checkout = publishing.find_checkout

    def move_before(*arguments: object) -> str:
        git(lanes.project, "branch", "-f", BRANCH, "main")
        return find_checkout(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(publishing, "find_checkout", move_before)
    assert "could not set the branch" in lanes.publish(two, BRANCH)
    assert tip(lanes) == git(lanes.project, "rev-parse", "main").decode().strip()


def test_a_publisher_that_died_after_the_swap_goes_on(
    lanes: LaneRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = land(lanes, lanes.create_base(), b"1\n")
    set_ref = LaneHistory.set_ref

    def die(self: LaneHistory, ref: str, to: str) -> None:
        if "published" in ref:
            raise KeyboardInterrupt
        set_ref(self, ref, to)

    monkeypatch.setattr(LaneHistory, "set_ref", die)
    with pytest.raises(KeyboardInterrupt):
        lanes.publish(one, BRANCH)
    monkeypatch.undo()
    assert tip(lanes) == one
    assert lanes.publish(land(lanes, one, b"2\n"), BRANCH) == ""


def test_the_branch_can_be_merged_by_the_user(lanes: LaneRepository) -> None:
    repo = lanes.project
    (folder,) = add_lanes(lanes, 1)
    base = lanes.create_base()
    write(folder, "work.py")
    assert lanes.publish(lanes.snapshot_lane(folder, base, "Do it"), BRANCH) == ""
    git(repo, "add", "new.py")
    git(repo, "commit", "-q", "-m", "what was not committed")
    git(repo, "merge", "-q", "--no-edit", BRANCH)
    assert (repo / "work.py").exists()
