"""Repositories with lanes for these tests."""

import os
from pathlib import Path

from orchestrator.workspace.lanes import LaneRepository, open_lane_repository
from tests.workspace.repositories import files_of, git, snapshot_git_folder

BRANCH = "orchestrator/tasks-one"


def open_lanes(project: Path, state: Path) -> LaneRepository:
    """Open the repository of a list, which is where the product has it."""
    return open_lane_repository(project, state / "lists" / "one" / "repository.git")


def add_lanes(lanes: LaneRepository, count: int) -> list[Path]:
    """Create the base and some lanes on it."""
    base = lanes.create_base()
    folders = [lanes.folder.parent / "lanes" / str(number + 1) for number in range(count)]
    for folder in folders:
        lanes.add_lane(folder, base)
    return folders


def list_paths(lanes: LaneRepository, commit: str) -> list[str]:
    """Return the paths of a commit."""
    listed = git(lanes.folder, "ls-tree", "-r", "-z", "--name-only", "--full-tree", commit)
    return [os.fsdecode(path) for path in listed.split(b"\0")[:-1]]


def lane_files(folder: Path) -> dict[bytes, tuple[str, bytes]]:
    """Return the files of a lane, without the link to its repository."""
    return {path: facts for path, facts in files_of(folder).items() if path != b".git"}


def users_own(repo: Path) -> dict[str, tuple[int, int, bytes]]:
    """Return all of a repository's git folder but its objects."""
    git_folder = repo / ".git"
    return {
        path: facts
        for path, facts in snapshot_git_folder(git_folder).items()
        if not path.startswith(str(git_folder / "objects"))
    }


def write(top: Path, path: str | bytes, content: str = "x\n") -> Path:
    """Write a file, with the folders above it."""
    full = top / os.fsdecode(path)
    full.parent.mkdir(parents=True, exist_ok=True)
    full.write_text(content, encoding="utf-8", newline="")
    return full
