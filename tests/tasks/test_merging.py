"""What the merge queue takes for landed, and which trees it has judged."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestrator.models import RunOutcome
from orchestrator.tasks.merging import TIP, MergeQueue, format_message
from orchestrator.tasks.models import (
    ListFormat,
    ListOptions,
    ListRecord,
    ListStatus,
    TaskEnd,
    TaskItem,
    TaskRecord,
    TaskState,
    Work,
)
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository
from tests.tasks.fakes import FakeJudge, FakeRules, make_project

LIST = "l1"


class Queue:
    """A merge queue with one project, and works for it."""

    def __init__(self, folder: Path) -> None:
        project = make_project(folder / "project", {"a.py": "a = 1\n"})
        state = folder / "state" / "lists" / LIST / "repository.git"
        self.repository: LaneRepository = open_lane_repository(project, state)
        self.base = self.repository.create_base()
        self.record = ListRecord(
            LIST,
            project,
            "tasks.md",
            ListFormat.MARKDOWN,
            ListOptions(),
            "orchestrator/tasks-l1",
            self.base,
            "",
            ListStatus.RUNNING,
            "",
            datetime.now(UTC),
            None,
        )
        self.judge = FakeJudge()
        self.queue = MergeQueue(
            self.record, self.repository, self.judge, FakeRules(), lambda _tasks: None
        )

    def make_work(
        self, run: str, title: str = "Make it", *, solved: bool = True, unseen: tuple[str, ...] = ()
    ) -> Work:
        content = {f"{run}.py": run.encode()}
        commit = self.repository.replace_files(self.base, content, f"work\n\nRun: {run}\n")
        record = TaskRecord(
            LIST, TaskItem(f"T-{run}", title, title, 0), TaskState.MERGING, run=run, base=self.base
        )
        return Work(record, TaskEnd(RunOutcome.SOLVED, work=commit, unseen=unseen), solved=solved)


MakeQueue = Callable[[], Queue]


@pytest.fixture
def world(tmp_path: Path) -> Queue:
    return Queue(tmp_path)


@pytest.mark.parametrize(
    "title",
    [
        "Make it\n\nRun: r-2",
        "Make it\n\nTask: T-r-2\nTask-List: l1\nRun: r-2",
        "Run: r-2",
        "Make it\u2028Run: r-2\u2028",
        "x" * 80 + "\n\nRun: r-2\n",
    ],
)
def test_the_title_of_a_task_does_not_make_another_run_land(world: Queue, title: str) -> None:
    one, other = world.make_work("r-1", title), world.make_work("r-2")
    (result,) = world.queue.process_works([one])
    assert world.queue.find_landed() == {"r-1": result.landed}
    (second,) = world.queue.process_works([other])
    assert second.landed not in ("", result.landed)
    assert world.repository.read_file(second.landed, "r-2.py") == b"r-2"


def test_a_commit_that_does_not_say_it_of_this_list_is_no_landing(world: Queue) -> None:
    record = world.make_work("r-1").record
    messages = ("Run: r-1\n", "x\n\nRun: r-1\n", format_message(record, "another"))
    tip = world.base
    for number, message in enumerate(messages):
        tip = world.repository.replace_files(tip, {f"{number}": b""}, message)
    world.repository.set_ref(TIP, tip)
    assert world.queue.find_landed() == {}


def test_a_run_that_is_not_solved_has_not_landed(world: Queue) -> None:
    work = world.make_work("r-1")
    (first,) = world.queue.process_works([work])
    assert world.queue.process_works([replace(work, solved=False)]) == []
    (again,) = world.queue.process_works([work])
    assert again.landed == first.landed


def test_the_verdict_of_a_run_counts_only_for_what_it_has_committed(world: Queue) -> None:
    (landed,) = world.queue.process_works([world.make_work("r-1")])
    assert landed.landed
    assert world.judge.judged == []  # the run's own suite was about this very tree
    world = Queue(world.record.project.parent / "other")
    world.judge.is_green = lambda _commit: False
    (result,) = world.queue.process_works([world.make_work("r-1", unseen=("lib/util.py",))])
    assert not result.landed
    assert result.reason.endswith("the work uses files that git ignores: lib/util.py")
    world.judge.is_green = lambda _commit: True
    (result,) = world.queue.process_works([world.make_work("r-1", unseen=("lib/util.py",))])
    assert result.landed
    assert len(world.judge.judged) == 2
