"""A list from start to end, with scripted runs on a real repository."""

import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from orchestrator.config import Config
from orchestrator.events import Event
from orchestrator.models import RunOutcome
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks import events, scheduler
from orchestrator.tasks.hot_files import conflicts
from orchestrator.tasks.merging import MergeQueue
from orchestrator.tasks.models import (
    ListOptions,
    ListRecord,
    ListStatus,
    TaskEnd,
    TaskOrder,
    TaskRecord,
    TaskState,
)
from orchestrator.tasks.prompts import PromptBuilder
from orchestrator.tasks.reading import read_list
from orchestrator.tasks.scheduler import Scheduler
from orchestrator.tasks.store import TaskStore
from orchestrator.workspace.lanes import LaneRepository, open_lane_repository
from tests.tasks.fakes import FakeJudge, FakeRules, FakeRunner, Script, git, make_project


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_POLL_SECONDS", 0.001)


@dataclass
class World:
    """A project with a list, and all that works on it."""

    project: Path
    state: Path
    store: TaskStore
    repository: LaneRepository
    record: ListRecord
    runner: FakeRunner
    judge: FakeJudge
    rules: FakeRules
    received: list[Event]
    config: Config
    day_room: float | None = None
    extra_cost: float = 0.0
    obstacle: str = ""

    def run(self) -> ListRecord:
        record = self.store.find_list(self.record.id)
        self.store.claim_list(record.id)
        tasks = read_list(record.source, self.project)
        return Scheduler(
            record,
            tasks,
            self.config,
            self.store,
            self.runner,
            MergeQueue(record, self.repository, self.judge, self.rules, lambda _tasks: None),
            None,
            PromptBuilder(self.repository, "tasks.md", lambda text: text),
            lambda one, other: conflicts(one, other, ()),
            self.received.append,
            lambda _record, _end: (),
            lambda _without: self.day_room,
            lambda: self.extra_cost,
            self.publish,
            lambda _record, _tasks: (),
        ).run_list()

    def publish(self, tip: str) -> str:
        return self.obstacle or self.repository.publish(tip, self.record.branch)

    @property
    def tasks(self) -> dict[str, TaskRecord]:
        return {each.item.id: each for each in self.store.load_tasks(self.record.id)}

    @property
    def states(self) -> dict[str, TaskState]:
        return {name: each.state for name, each in self.tasks.items()}

    @property
    def text(self) -> str:
        return (self.project / "tasks.md").read_text(encoding="utf-8")

    def log(self) -> list[str]:
        return git(
            self.project, "log", "--reverse", "--format=%s", f"HEAD..{self.record.branch}"
        ).splitlines()


Make = Callable[..., World]


@pytest.fixture
def make_world(tmp_path: Path) -> Iterator[Make]:
    def make(
        text: str,
        scripts: Mapping[str, Sequence[Script]],
        options: ListOptions | None = None,
        polls: int = 1,
        **config: object,
    ) -> World:
        project = make_project(
            tmp_path / "project", {"tasks.md": text, "shop.py": "one = 1\n\n\n\n\ntwo = 2\n"}
        )
        state = tmp_path / "state"
        store = TaskStore(opened.enter_context(open_database(state)))
        repository = open_lane_repository(project, list_folder(state, "l1") / "repository.git")
        base = repository.create_base()
        tasks = read_list(str(project / "tasks.md"), project)
        record = store.create_list(
            "l1",
            project,
            tasks.source,
            tasks.format,
            options or ListOptions(),
            "{}",
            base,
            tasks.items,
        )
        runner = FakeRunner(repository, scripts, polls)
        settings = Config.model_validate(config)
        return World(
            project,
            state,
            store,
            repository,
            record,
            runner,
            FakeJudge(),
            FakeRules(),
            [],
            settings,
        )

    with ExitStack() as opened:
        yield make


def write(**files: str) -> Script:
    named = {name.replace("__", "/") + ".py": text.encode() for name, text in files.items()}
    return lambda _order: named


def end(outcome: RunOutcome, **values: object) -> Script:
    return lambda _order: replace(TaskEnd(outcome), **values)  # type: ignore[arg-type] # checked by its callers


LIST = "# Plan\n\n- [ ] T1 Make a\n- [ ] T2 Make b (depends on T1)\n- [ ] T3 Make c\n"


def test_each_task_becomes_a_commit_and_a_tick(make_world: Make) -> None:
    world = make_world(
        LIST, {"T1": [write(a="1\n")], "T2": [write(b="2\n")], "T3": [write(c="3\n")]}
    )
    ended = world.run()
    assert ended.status is ListStatus.COMPLETE
    assert set(world.states.values()) == {TaskState.DONE}
    assert world.log() == ["T1 Make a", "T2 Make b (depends on T1)", "T3 Make c"] or len(
        world.log()
    ) == len(world.states)
    assert world.text == LIST.replace("[ ]", "[x]")
    assert git(world.project, "rev-parse", "HEAD") == world.record.base
    assert git(world.project, "status", "--porcelain") == "M tasks.md"
    assert world.judge.judged == []  # the tip never moved between base and landing
    message = git(world.project, "log", "-1", "--format=%B", world.record.branch)
    assert "Task: T3" in message
    assert f"Run: {world.tasks['T3'].run}" in message
    names = git(world.project, "ls-tree", "-r", "--name-only", world.record.branch).split()
    assert names == ["a.py", "b.py", "c.py", "shop.py", "tasks.md"]
    assert git(world.project, "show", f"{world.record.branch}:tasks.md") == LIST.strip()


def test_the_next_task_starts_from_the_last_and_is_told_about_it(make_world: Make) -> None:
    scripts = {"T1": [write(a="def load(): pass\n")], "T2": [write(b="2\n")], "T3": [write(c="3")]}
    world = make_world(LIST, scripts)
    world.run()
    first, second, _ = world.runner.orders
    assert second.base == world.tasks["T1"].landed
    assert "T1 Make a" in first.prompt
    assert "Make a" not in first.context
    assert "a.py" in second.context
    assert "load" in second.context
    assert "do not edit" in second.context


def test_a_task_that_fails_is_tried_again_then_quarantined_and_blocks_only_its_dependents(
    make_world: Make,
) -> None:
    failing = end(RunOutcome.NOT_SOLVED, message="2 tests fail", failing=("test_x",))
    world = make_world(LIST, {"T1": [failing], "T3": [write(c="3\n")]})
    ended = world.run()
    assert ended.status is ListStatus.ENDED
    assert world.states == {
        "T1": TaskState.QUARANTINED,
        "T2": TaskState.WAITING,
        "T3": TaskState.DONE,
    }
    assert world.tasks["T1"].failures == world.config.tasks.max_failures
    assert "2 tests fail" in world.tasks["T1"].reason
    again = [order for order in world.runner.orders if order.task == "T1"][1]
    assert "test_x" in again.context
    assert world.text == LIST.replace("[ ] T3", "[x] T3")
    assert [order.task for order in world.runner.orders] == ["T1", "T1", "T3"]


def test_a_green_suite_without_a_change_needs_a_person_unless_the_task_says_so(
    make_world: Make,
) -> None:
    text = "- [ ] T1 Nothing\n- [ ] T2 Look (no-change)\n"
    world = make_world(text, {name: [end(RunOutcome.SOLVED)] for name in ("T1", "T2")})
    assert world.run().status is ListStatus.ENDED
    assert world.states == {"T1": TaskState.NEEDS_PERSON, "T2": TaskState.DONE}
    assert world.text == text.replace("[ ] T2", "[x] T2")


def test_the_check_of_a_task_decides_with_the_suite(make_world: Make) -> None:
    def solved_but_check_fails(order: TaskOrder) -> TaskEnd:
        return replace(world.runner.commit(order, {"a.py": b"1"}), check_failed="exit code 1")

    world = make_world(
        "- [ ] T1 A\n- [ ] T2 B\n",
        {
            "T1": [solved_but_check_fails, write(a="2\n")],
            "T2": [end(RunOutcome.SOLVED, check_passed_before=True)],
        },
    )
    world.run()
    assert world.states == {"T1": TaskState.DONE, "T2": TaskState.NEEDS_PERSON}
    assert "exit code 1" in world.runner.orders[1].context


def test_an_infrastructure_error_stops_the_list_and_counts_for_nothing(make_world: Make) -> None:
    world = make_world(LIST, {"T1": [end(RunOutcome.STOPPED, message="no network")]})
    ended = world.run()
    assert (ended.status, ended.message) == (ListStatus.STOPPED, "no network")
    assert world.tasks["T1"].state is TaskState.WAITING
    assert world.tasks["T1"].failures == 0
    world.runner.scripts = {name: [write(**{name: "1\n"})] for name in ("T1", "T2", "T3")}
    assert world.run().status is ListStatus.COMPLETE


def test_a_breaker_stops_a_list_on_which_nothing_moves(make_world: Make) -> None:
    text = "".join(f"- [ ] T{number} Do {number}\n" for number in range(1, 8))
    failing = end(RunOutcome.NOT_SOLVED, fingerprint="f1")
    world = make_world(text, {f"T{number}": [failing] for number in range(1, 8)})
    ended = world.run()
    assert ended.status is ListStatus.STOPPED
    assert "3 tasks in a row with the same failure" in ended.message
    assert len({order.task for order in world.runner.orders}) == world.config.tasks.stop_after


@pytest.mark.parametrize(
    ("cap", "per_run", "at_once", "runs"),
    [
        (50.0, 10.0, 7, 7),  # the defaults: each lane gets a seventh
        (5.0, 2.0, 5, 5),  # a dollar at least, so that five work side by side
        (1.5, 1.0, 1, 2),
        (None, None, 7, 7),
    ],
)
def test_each_lane_has_its_share_of_the_limit_before_it_starts(
    make_world: Make, cap: float | None, per_run: float | None, at_once: int, runs: int
) -> None:
    text = "".join(f"- [ ] T{number} [P] Do {number}\n" for number in range(1, 8))

    def spend_all(order: TaskOrder) -> TaskEnd:
        end = world.runner.commit(order, {f"{order.task.lower()}.py": b"1"})
        return replace(end, cost_usd=order.max_cost_usd)

    scripts: dict[str, list[Script]] = {f"T{number}": [spend_all] for number in range(1, 8)}
    options = ListOptions(parallel=7, max_cost_usd=cap)
    world = make_world(text, scripts, options, polls=3, limits={"max_cost_usd": per_run})
    ended = world.run()
    assert world.runner.most_at_once == at_once
    assert len(world.runner.orders) == runs
    spent = sum(each.cost_usd for each in world.tasks.values())
    assert cap is None or spent <= cap + 1e-9
    if runs < 7:
        assert ended.status is ListStatus.STOPPED
        assert "cost limit of the list" in ended.message


def test_the_limit_of_a_day_is_shared_too_and_stops_the_list_when_it_is_used_up(
    make_world: Make,
) -> None:
    text = "".join(f"- [ ] T{number} [P] Do {number}\n" for number in range(1, 4))
    scripts = {f"T{number}": [write(**{f"t{number}": "1\n"})] for number in range(1, 4)}
    world = make_world(text, scripts, ListOptions(parallel=3, max_cost_usd=50.0))
    world.day_room = 0.0
    ended = world.run()
    assert (ended.status, world.runner.orders) == (ListStatus.STOPPED, [])
    assert "limit of a day" in ended.message
    world.day_room = 6.0
    world.run()
    assert [order.max_cost_usd for order in world.runner.orders[:3]] == [2.0, 2.0, 2.0]


def test_lanes_side_by_side_land_once_and_are_judged_together(make_world: Make) -> None:
    text = "".join(f"- [ ] T{number} [P] Do {number}\n" for number in range(1, 5))
    scripts = {f"T{number}": [write(**{f"t{number}": "1\n"})] for number in range(1, 5)}
    world = make_world(text, scripts, ListOptions(parallel=4), polls=3)
    assert world.run().status is ListStatus.COMPLETE
    assert world.runner.most_at_once == 4
    assert len({order.lane for order in world.runner.orders}) == 4
    assert sorted(world.log()) == sorted(each.item.title for each in world.tasks.values())
    assert len(world.judge.judged) >= 1


def test_a_textual_conflict_is_done_again_on_the_new_tip_with_its_diff_as_a_hint(
    make_world: Make,
) -> None:
    text = "- [ ] T1 [P] One\n- [ ] T2 [P] Two\n"
    scripts = {
        "T1": [write(shop="one = 11\n\n\n\n\ntwo = 2\n")],
        "T2": [write(shop="one = 12\n\n\n\n\ntwo = 2\n"), write(shop="one = 23\n")],
    }
    world = make_world(text, scripts, ListOptions(parallel=2))
    assert world.run().status is ListStatus.COMPLETE
    again = world.runner.orders[-1]
    assert again.task == "T2"
    assert again.base == world.tasks["T1"].landed
    assert "+one = 12" in again.context
    assert world.tasks["T2"].returns == 1
    assert len(world.log()) == 2


def test_a_conflict_that_stays_needs_a_person_and_keeps_both_works(make_world: Make) -> None:
    text = "- [ ] T1 [P] One\n- [ ] T2 [P] Two\n"

    def conflicting(order: TaskOrder) -> TaskEnd:
        # A work that was made on the first commit, whatever the run was given.
        first = replace(order, base=world.record.base)
        return world.runner.commit(first, {"shop.py": b"one = 99\n"})

    scripts: dict[str, list[Script]] = {"T1": [write(shop="one = 11\n")], "T2": [conflicting]}
    world = make_world(text, scripts, ListOptions(parallel=2))
    assert world.run().status is ListStatus.ENDED
    assert world.states == {"T1": TaskState.DONE, "T2": TaskState.NEEDS_PERSON}
    refs = world.repository.list_refs("refs/orchestrator/work/")
    assert world.tasks["T2"].work in refs.values()


def test_red_together_is_bisected_goes_back_and_is_taught(make_world: Make) -> None:
    text = "".join(f"- [ ] T{number} [P] Do {number}\n" for number in range(1, 5))

    def is_green(commit: str) -> bool:
        read = world.repository.read_file
        return not (read(commit, "t2.py") == b"rename\n" and read(commit, "t3.py") == b"call\n")

    scripts: dict[str, list[Script]] = {
        "T1": [write(t1="1\n")],
        "T2": [write(t2="rename\n")],
        "T3": [write(t3="call\n"), write(t3="new call\n")],
        "T4": [write(t4="1\n")],
    }
    world = make_world(text, scripts, ListOptions(parallel=4), polls=3)
    world.judge.is_green = is_green
    assert world.run().status is ListStatus.COMPLETE
    assert world.rules.taught == ["T3"]
    again = world.runner.orders[-1]
    assert again.task == "T3"
    assert "test_all" in again.context
    assert "assert 1 == 2" in again.context
    assert git(world.project, "show", f"{world.record.branch}:t3.py") == "new call"
    assert len(world.log()) == 4


def test_once_does_one_task(make_world: Make) -> None:
    world = make_world(LIST, {"T1": [write(a="1\n")]}, ListOptions(once=True))
    ended = world.run()
    assert ended.status is ListStatus.ENDED
    assert [order.task for order in world.runner.orders] == ["T1"]
    assert world.text == LIST.replace("[ ] T1", "[x] T1")


def test_what_runs_learned_is_written_also_if_they_failed(make_world: Make) -> None:
    world = make_world("- [ ] T1 A\n", {"T1": [end(RunOutcome.NOT_SOLVED), write(a="1\n")]})
    world.run()
    assert set(world.rules.asked) == {order.run for order in world.runner.orders}


def test_a_line_that_a_person_has_changed_meanwhile_is_theirs(make_world: Make) -> None:
    def change_list(_order: TaskOrder) -> dict[str, bytes | None]:
        path = world.project / "tasks.md"
        path.write_text(path.read_text(encoding="utf-8").replace("T1 Make a", "Other words"))
        return {"a.py": b"1"}

    world = make_world("- [ ] T1 Make a\n- [x] T0 Old\n", {"T1": [change_list]})
    world.run()
    assert world.states["T1"] is TaskState.DONE
    assert "tick it yourself" in world.tasks["T1"].reason
    assert world.text == "- [ ] Other words\n- [x] T0 Old\n"


def test_a_task_without_a_change_is_judged_by_the_tests_also_if_nothing_changed_is_the_outcome(
    make_world: Make,
) -> None:
    text = "- [ ] T1 Look (no-change)\n- [ ] T2 Ask\n- [ ] T3 Fail\n"
    green, red = end(RunOutcome.NOTHING_CHANGED), end(RunOutcome.NOTHING_CHANGED, failing=("t",))
    world = make_world(text, {"T1": [green], "T2": [green], "T3": [red]})
    world.run()
    assert world.states == {
        "T1": TaskState.DONE,
        "T2": TaskState.NEEDS_PERSON,
        "T3": TaskState.QUARANTINED,
    }
    assert [order.task for order in world.runner.orders] == ["T1", "T2", "T3", "T3"]


def test_a_second_start_does_nothing_again(make_world: Make) -> None:
    scripts = {name: [write(**{name.lower(): "1\n"})] for name in ("T1", "T2", "T3")}
    world = make_world(LIST, scripts)
    world.run()
    tip, asked = world.repository.read_ref("refs/orchestrator/tip"), len(world.rules.asked)
    world.received.clear()
    (world.project / "tasks.md").write_text(LIST, encoding="utf-8")  # a person unticks all
    world.run()
    assert [type(event) for event in world.received] == [events.ListEnded]
    assert world.repository.read_ref("refs/orchestrator/tip") == tip
    assert len(world.rules.asked) == asked
    assert world.text == LIST


def test_work_that_cannot_be_published_is_not_done_until_it_is(make_world: Make) -> None:
    world = make_world("- [ ] T1 A\n", {"T1": [write(a="1\n")]})
    world.obstacle = "it is checked out"
    assert world.run().status is ListStatus.ENDED
    assert world.states == {"T1": TaskState.LANDED}
    assert "it is checked out" in world.tasks["T1"].reason
    assert world.text == "- [ ] T1 A\n"
    world.obstacle = ""
    assert world.run().status is ListStatus.COMPLETE
    assert world.text == "- [x] T1 A\n"
    assert len(world.runner.orders) == 1


def test_a_run_whose_process_dies_is_continued_once_then_stops_the_list_and_goes_on_later(
    make_world: Make,
) -> None:
    died = end(RunOutcome.INTERRUPTED, message="killed", cost_usd=1.0)
    world = make_world("- [ ] T1 A\n", {"T1": [died, died, write(a="1\n")]})
    ended = world.run()
    assert ended.status is ListStatus.STOPPED
    assert len({order.run for order in world.runner.orders}) == 1
    assert len(world.runner.orders) == 2
    assert world.tasks["T1"].cost_usd == 0.0  # counted when it really ends
    assert world.run().status is ListStatus.COMPLETE
    assert len({order.run for order in world.runner.orders}) == 1
    assert world.tasks["T1"].cost_usd == 1.0


def test_an_event_is_sent_when_nobody_else_is_kept_from_writing(make_world: Make) -> None:
    world = make_world("- [ ] T1 A\n- [ ] T2 B\n", {"T1": [write(a="1\n")], "T2": [write(b="2")]})
    database = world.store.database

    class Received(list[Event]):
        def append(self, event: Event) -> None:
            with closing(sqlite3.connect(database.directory / "state.db", timeout=0.0)) as other:
                other.execute("BEGIN IMMEDIATE")  # raises if a transaction is open
                other.rollback()
            super().append(event)

    world.received = Received()
    assert world.run().status is ListStatus.COMPLETE


def test_what_the_list_itself_has_cost_counts(make_world: Make) -> None:
    options = ListOptions(max_cost_usd=5.0)
    world = make_world("- [ ] T1 A\n", {"T1": [write(a="1\n")]}, options)
    world.extra_cost = 5.0
    assert "cost limit of the list" in world.run().message
    assert world.runner.orders == []


def test_a_pause_of_an_earlier_run_says_nothing_about_a_later_one(make_world: Make) -> None:
    died = end(RunOutcome.INTERRUPTED, message="killed")
    world = make_world("- [ ] T1 A\n- [x] T2 B\n", {"T1": [died]})
    world.store.change_task("l1", "T1", after="T2")
    assert world.run().status is ListStatus.STOPPED
    assert len(world.runner.orders) == 2
    assert world.tasks["T1"].after == ""


def test_a_list_that_stops_already_can_be_cancelled(make_world: Make) -> None:
    def cancel(_order: TaskOrder) -> TaskEnd:
        world.store.cancel_list("l1")
        world.runner.polls = 1000
        return TaskEnd(RunOutcome.STOPPED, "no network")

    scripts: dict[str, list[Script]] = {"T2": [write(b="1\n")], "T1": [cancel]}
    text = "- [ ] T2 [P] B\n- [ ] T1 [P] A\n"
    world = make_world(text, scripts, ListOptions(parallel=2), polls=500)
    assert world.run().status is ListStatus.STOPPED
    assert len(world.runner.interrupted) == 2


def test_cancelling_ends_the_runs_and_the_list(make_world: Make) -> None:
    def cancel(_order: TaskOrder) -> TaskEnd:
        world.store.cancel_list("l1")
        return TaskEnd(RunOutcome.SOLVED)

    world = make_world(LIST, {"T1": [cancel]}, polls=1000)
    ended = world.run()
    assert (ended.status, ended.message) == (ListStatus.STOPPED, "cancelled")
    assert len(world.runner.interrupted) >= 1
    assert world.text == LIST


def test_events_tell_what_happened_in_order(make_world: Make) -> None:
    world = make_world("- [ ] T1 A\n", {"T1": [write(a="1\n")]})
    world.run()
    kinds = [type(event) for event in world.received]
    assert kinds == [
        events.TaskStarted,
        events.TaskRunEnded,
        events.TaskLanded,
        events.ListEnded,
    ]
