"""Nothing is offered for deletion that is nowhere else."""

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.models import RunOutcome
from orchestrator.services.task_cleaning import list_leftovers, remove_leftovers
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks.merging import TIP
from orchestrator.tasks.models import (
    Leftover,
    LeftoverKind,
    ListFormat,
    ListOptions,
    ListStatus,
    TaskEnd,
    TaskItem,
    TaskState,
)
from orchestrator.tasks.store import TaskStore
from orchestrator.workspace.lanes import open_lane_repository
from tests.tasks.fakes import make_project

LIST = "20260101-000000-abcdef"


class World:
    """An ended list of a project with the tasks a and b."""

    def __init__(self, folder: Path) -> None:
        self.project = make_project(folder / "project", {"shop.py": "one = 1\n"})
        self.state = folder / "state"
        self.folder = list_folder(self.state, LIST)
        self.repository = open_lane_repository(self.project, self.folder / "repository.git")
        self.base = self.repository.create_base()
        with Store(self.state) as store:
            items = [TaskItem(name, name, name, place) for place, name in enumerate("ab")]
            form, options = ListFormat.MARKDOWN, ListOptions()
            lists = TaskStore(store.database)
            lists.create_list(LIST, self.project, "tasks.md", form, options, "{}", self.base, items)
            lists.end_list(LIST, ListStatus.ENDED)

    def change(self, task: str, state: TaskState, **values: str) -> None:
        with Store(self.state) as store:
            TaskStore(store.database).change_task(LIST, task, state=state, **values)

    def add_run(self, task: str, run: str, **refs: str) -> dict[str, str]:
        """Record a run of a task that left files under refs, and return their commits."""
        with Store(self.state) as store:
            lists = TaskStore(store.database)
            record = lists.load_task(LIST, task)
            lists.start_task_run(
                type(record)(LIST, record.item, TaskState.RUNNING, run=run, base=self.base)
            )
            lists.end_task_run(run, TaskEnd(RunOutcome.NOT_SOLVED))
        commits = {}
        for name, text in refs.items():
            commits[name] = self.repository.replace_files(self.base, {name: text.encode()}, run)
            self.repository.set_ref(f"refs/orchestrator/{name}/{run}", commits[name])
        return commits

    def land(self, task: str, run: str) -> str:
        commit = self.add_run(task, run, work=run)["work"]
        self.repository.set_ref(TIP, commit)
        assert not self.repository.publish(commit, f"orchestrator/tasks-{LIST}")
        self.change(task, TaskState.DONE, landed=commit)
        return commit

    def look(self) -> list[Leftover]:
        return list_leftovers(None, self.state)

    def list_kept_refs(self) -> list[str]:
        found = self.look()
        assert not [each for each in found if each.removable and each.path == self.folder]
        return [each.ref for each in found if each.ref]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_list_whose_work_has_landed_is_removable(world: World) -> None:
    world.land("a", "run1")
    world.change("b", TaskState.DONE, reason="the list says so")
    (found,) = world.look()
    assert (found.path, found.removable) == (world.folder, True)
    assert found.reason == "all of its work is in your repository"
    assert remove_leftovers([found], world.state) == [found]
    assert not world.folder.exists()


@pytest.mark.parametrize("state", [TaskState.DONE, TaskState.REMOVED, TaskState.QUARANTINED])
@pytest.mark.parametrize("name", ["work", "learned", "left"])
def test_work_that_has_not_landed_is_kept(world: World, state: TaskState, name: str) -> None:
    world.land("a", "run1")
    world.add_run("b", "run2", **{name: "hours of work"})
    world.change("b", state, reason="ticked by a person")
    (found,) = world.look()
    ref = f"refs/orchestrator/{name}/run2"
    assert (found.ref, found.removable) == (ref, False)
    assert found.reason == f"b {state}: ticked by a person"
    assert found.command.endswith(f"diff {world.base} {ref}")
    assert remove_leftovers([found], world.state) == []
    assert world.folder.exists()


def test_every_run_counts_not_only_the_latest(world: World) -> None:
    world.land("a", "run1")
    world.add_run("b", "run2", work="first", learned="more", left="again")
    world.add_run("b", "run3")
    world.change("b", TaskState.DONE, reason="ticked by a person")
    assert world.list_kept_refs() == [
        "refs/orchestrator/work/run2",
        "refs/orchestrator/left/run2",
    ]


def test_what_a_later_run_has_superseded_is_named_and_removable(world: World) -> None:
    world.add_run("a", "run1", work="a first try", left="and more")
    commit = world.land("a", "run2")
    world.change("b", TaskState.REMOVED)
    (found,) = world.look()
    assert found.removable
    assert found.reason.endswith(f"earlier runs are superseded: a by {commit[:9]}")


@pytest.mark.parametrize("state", [TaskState.WAITING, TaskState.RUNNING, TaskState.MERGING])
def test_a_list_that_is_not_finished_is_kept(world: World, state: TaskState) -> None:
    world.land("a", "run1")
    world.change("b", state)
    (found,) = world.look()
    assert not found.removable
    assert f"`orchestrator tasks resume {LIST}` goes on" in found.reason


def test_a_branch_that_is_not_published_is_kept(world: World) -> None:
    world.change("b", TaskState.REMOVED)
    commit = world.add_run("a", "run1", work="text")["work"]
    world.repository.set_ref(TIP, commit)  # the process was killed before it stored the tip
    world.change("a", TaskState.DONE, landed=commit)
    (found,) = world.look()
    assert not found.removable
    assert "does not have all of" in found.reason


def test_what_is_only_in_a_lane_is_stored_before_it_is_offered(world: World) -> None:
    world.land("a", "run1")
    world.add_run("b", "run2")
    world.change("b", TaskState.DONE, reason="ticked by a person")
    lane = world.folder / "lanes" / "1"
    world.repository.add_lane(lane, world.base)
    note = {"run": "run2", "tree": world.repository.tree_of(world.base)}
    lane.with_name("1.run").write_text(json.dumps(note))
    (lane / "shop.py").write_text("killed = 9\n")
    kept, offered = world.look()
    assert (kept.ref, kept.removable) == ("refs/orchestrator/left/run2", False)
    assert (offered.kind, offered.path, offered.removable) == (LeftoverKind.LANE, lane, True)
    assert remove_leftovers([kept, offered], world.state) == [offered]
    assert world.repository.read_file(kept.ref, "shop.py") == b"killed = 9\n"
    assert not lane.exists()


def test_a_project_that_is_gone_does_not_hinder(world: World) -> None:
    shutil.rmtree(world.project)
    (found,) = world.look()
    assert not found.removable
    assert found.reason
