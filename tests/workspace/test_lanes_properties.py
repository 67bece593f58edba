"""For any files: a lane has the user's, its commit is what git would make, and so is a merge."""

import os
import subprocess
import tempfile
from pathlib import Path

from hypothesis import given

from orchestrator.workspace.lanes import LaneRepository
from tests.workspace.lanes import add_lanes, lane_files, open_lanes, users_own
from tests.workspace.repositories import commit, files_of, git, repository
from tests.workspace.test_properties import TREES, Tree, few


def put(folder: Path, tree: Tree) -> None:
    """Make the files of a folder those of a tree, leaving alone what is equal."""
    present = lane_files(folder)
    for path in present:
        if present[path] != tree.get(path):
            (folder / os.fsdecode(path)).unlink()
    for root, folders, _ in os.walk(folder, topdown=False):
        for name in folders:
            full = Path(root) / name
            if ".git" not in full.parts and not full.is_symlink() and not any(full.iterdir()):
                full.rmdir()
    for path, (kind, content) in tree.items():
        if present.get(path) == (kind, content):
            continue
        full = folder / os.fsdecode(path)
        full.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            full.symlink_to(os.fsdecode(content))
        else:
            full.write_bytes(content)
            full.chmod(0o755 if kind == "program" else 0o644)


def storable(tree: Tree) -> Tree:
    """Leave out the name that git refuses everywhere, because of one file system."""
    return {path: entry for path, entry in tree.items() if b"git~1" not in path.split(b"/")}


def add_with_git(folder: Path) -> str:
    git(folder, "add", "-A")
    return git(folder, "write-tree").decode().strip()


@few
@given(TREES, TREES, TREES, TREES)
def test_lanes_are_exact(committed: Tree, users: Tree, one: Tree, other: Tree) -> None:
    committed, users, one, other = map(storable, (committed, users, one, other))
    with tempfile.TemporaryDirectory() as temporary:
        repo = repository(Path(temporary) / "project", always_txt="always\n")
        users = {**users, b"always.txt": ("file", b"always\n")}
        put(repo, {**committed, b"always.txt": ("file", b"always\n")})
        commit_if_changed(repo)
        put(repo, users)
        before = users_own(repo)
        lanes = open_lanes(repo, Path(temporary) / "state")
        first, second = add_lanes(lanes, 2)
        base = lanes.create_base()
        assert lane_files(first) == lane_files(second) == files_of(repo) == users
        works = []
        for folder, tree in ((first, one), (second, other)):
            put(folder, tree)
            work = lanes.snapshot_lane(folder, base, "work")
            assert lanes.tree_of(work) == add_with_git(folder)
            assert lanes.snapshot_lane(folder, base, "work") == work or work != base
            lanes.reset_lane(folder, base)
            assert lane_files(folder) == users
            works.append(work)
        check_merge(lanes, first, works)
        lanes.reset_lane(first, works[1])
        assert lane_files(first) == other
        assert users_own(repo) == before


def commit_if_changed(repo: Path) -> None:
    if git(repo, "status", "--porcelain"):
        commit(repo)


def check_merge(lanes: LaneRepository, folder: Path, works: list[str]) -> None:
    """Compare with a merge that git makes in a work tree."""
    merge = lanes.merge(*works)
    pairs = lanes.find_conflicts(dict(zip("ab", works, strict=True)))
    assert bool(pairs) == bool(merge.conflicts) == (not merge.tree)
    lanes.reset_lane(folder, works[0])
    done = subprocess.run(
        ["git", "merge", "-q", "--no-edit", works[1]], cwd=folder, check=False, capture_output=True
    )
    assert (done.returncode == 0) == bool(merge.tree), done.stderr
    if merge.tree:
        assert git(folder, "rev-parse", "HEAD^{tree}").decode().strip() == merge.tree
