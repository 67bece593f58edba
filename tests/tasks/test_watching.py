"""Conflicts between lanes are found while their agents work."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.errors import InfrastructureError
from orchestrator.tasks.models import LaneConflict
from orchestrator.tasks.watching import LaneWatch, WatchedLane
from tests.workspace.lanes import add_lanes, open_lanes, write
from tests.workspace.repositories import repository

START = datetime(2026, 1, 1, tzinfo=UTC)
TASKS = ("c", "b", "a")
"""In the order of their start."""


class Watched:
    """Three lanes at work, and a watch over them."""

    def __init__(self, project: Path, state: Path) -> None:
        repository(project, a_py="a = 1\n", b_py="b = 1\n")
        self.repository = open_lanes(project, state)
        self.folders = dict(zip(TASKS, add_lanes(self.repository, 3), strict=True))
        base = self.repository.create_base()
        self.lanes = {
            task: WatchedLane(folder, base, START + timedelta(seconds=number))
            for number, (task, folder) in enumerate(self.folders.items())
        }
        self.watch = LaneWatch(self.repository)
        self.now = 0.0

    def look(self, *tasks: str) -> list[LaneConflict]:
        """Look after the interval, at some lanes or all."""
        self.now += 10
        return self.watch.look(self.now, {task: self.lanes[task] for task in tasks or TASKS})

    def write(self, task: str, path: str, content: str) -> None:
        write(self.folders[task], path, content)


@pytest.fixture
def watched(project: Path, tmp_path: Path) -> Watched:
    return Watched(project, tmp_path / "state")


def test_a_pair_is_reported_once_until_it_is_gone(watched: Watched) -> None:
    assert watched.look() == []
    watched.write("a", "a.py", "a = 'a'\n")
    watched.write("c", "a.py", "a = 'c'\n")
    conflict = LaneConflict("c", "a", ("a.py",))
    assert watched.look() == [conflict]
    assert watched.look() == []
    watched.write("b", "b.py", "b = 'b'\n")
    watched.write("a", "b.py", "b = 'a'\n")
    assert watched.look() == [LaneConflict("b", "a", ("b.py",))]
    watched.write("c", "a.py", "a = 1\n")
    assert watched.look() == []
    watched.write("c", "a.py", "a = 'c'\n")
    assert watched.look() == [conflict]
    assert watched.look("a") == []
    assert watched.look() == [conflict, LaneConflict("b", "a", ("b.py",))]


def test_it_looks_only_when_it_is_time(watched: Watched) -> None:
    lanes = watched.lanes
    assert watched.watch.look(5.0, lanes) == []
    watched.write("a", "a.py", "a = 'a'\n")
    watched.write("c", "a.py", "a = 'c'\n")
    assert watched.watch.look(14.9, lanes) == []
    assert len(watched.watch.look(15.0, lanes)) == 1


def test_a_lane_that_git_cannot_read_is_left_out_this_time(watched: Watched) -> None:
    watched.write("a", "a.py", "a = 'a'\n")
    watched.write("c", "a.py", "a = 'c'\n")
    assert len(watched.look()) == 1
    moved = watched.folders["a"].with_name("moved")
    watched.folders["a"].rename(moved)
    watched.write("b", "b.py", "b = 'b'\n")
    watched.write("c", "b.py", "b = 'c'\n")
    assert watched.look() == [LaneConflict("c", "b", ("b.py",))]
    moved.rename(watched.folders["a"])
    assert watched.look() == []


def test_it_never_raises(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise InfrastructureError("git is gone")

    watched.write("a", "a.py", "a = 'a'\n")
    watched.write("c", "a.py", "a = 'c'\n")
    with monkeypatch.context() as patched:
        patched.setattr("orchestrator.workspace.lanes.find_conflicts", fail)
        assert watched.look() == []
    assert len(watched.look()) == 1
    shutil.rmtree(watched.repository.folder)
    assert watched.look() == []
