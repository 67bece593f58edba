"""Which task starts next, beside which others."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.tasks.choosing import can_run_beside, choose_next, explain_blocked, plan_batches
from orchestrator.tasks.models import TaskItem, TaskRecord, TaskState


def item(name: str, position: int = 0, **values: object) -> TaskItem:
    return replace(TaskItem(name, name, name, position), **values)  # type: ignore[arg-type] # checked by its callers


def task(name: str, position: int = 0, **values: object) -> TaskRecord:
    own = {key: values.pop(key) for key in ("state", "after") if key in values}
    state = TaskState(str(own.get("state", TaskState.WAITING)))
    return TaskRecord(
        "list", item(name, position, **values), state, after=str(own.get("after", ""))
    )


def clash(one: TaskItem, other: TaskItem) -> bool:
    return bool(set(one.files or ()) & set(other.files or ()))


def test_the_order_is_priority_then_place() -> None:
    tasks = [task("a", 0), task("b", 1, priority=1), task("c", 2, priority=1)]
    chosen = choose_next(tasks, clash)
    assert chosen
    assert chosen.item.id == "b"


def test_a_task_waits_for_what_it_depends_on_and_says_so() -> None:
    tasks = [task("a", state="quarantined"), task("b", 1, depends=("a",)), task("c", 2)]
    assert explain_blocked(tasks) == {"b": "depends on a: quarantined"}
    chosen = choose_next(tasks, clash)
    assert chosen
    assert chosen.item.id == "c"
    done = [replace(tasks[0], state=TaskState.LANDED), *tasks[1:]]
    assert explain_blocked(done) == {}


def test_a_paused_task_waits_until_the_other_has_landed_or_is_given_up() -> None:
    tasks = [task("a", state="running"), task("b", 1, after="a", parallel=True)]
    assert "b" in explain_blocked(tasks)
    for state in (TaskState.LANDED, TaskState.DONE, TaskState.QUARANTINED, TaskState.NEEDS_PERSON):
        assert explain_blocked([replace(tasks[0], state=state), tasks[1]]) == {}


def test_known_files_run_side_by_side_unless_they_meet() -> None:
    one, two = item("a", files=("x.py",)), item("b", files=("y.py",))
    assert can_run_beside(one, two, clash)
    assert not can_run_beside(one, item("c", files=("x.py", "z.py")), clash)


def test_of_unknown_files_one_runs_at_a_time_unless_a_person_says_otherwise() -> None:
    unknown, known = item("a"), item("b", files=("x.py",))
    assert can_run_beside(unknown, known, clash)
    assert not can_run_beside(unknown, item("c"), clash)
    assert not can_run_beside(unknown, item("c", parallel=True), clash)
    assert can_run_beside(item("a", parallel=True), item("c", parallel=True), clash)


NAMES = [f"t{number}" for number in range(6)]
ITEMS = st.lists(
    st.tuples(
        st.sets(st.sampled_from(NAMES), max_size=2),
        st.integers(1, 9),
        st.none() | st.sets(st.sampled_from(["x", "y", "z"]), max_size=2),
        st.booleans(),
    ),
    min_size=1,
    max_size=len(NAMES),
)


@given(ITEMS, st.integers(1, 7))
def test_a_plan_has_each_task_once_after_what_it_depends_on(
    given_items: list[tuple[set[str], int, set[str] | None, bool]], lanes: int
) -> None:
    items = [
        item(
            NAMES[number],
            number,
            # Only on earlier ones, so that there is no cycle.
            depends=tuple(sorted(depends & set(NAMES[:number]))),
            priority=priority,
            files=None if files is None else tuple(sorted(files)),
            parallel=parallel,
        )
        for number, (depends, priority, files, parallel) in enumerate(given_items)
    ]
    batches = plan_batches(items, lanes, clash)
    flat = [name for batch in batches for name in batch]
    assert sorted(flat) == sorted(each.id for each in items)
    assert all(len(batch) <= lanes for batch in batches)
    by_id = {each.id: each for each in items}
    done = set[str]()
    for batch in batches:
        for name in batch:
            assert set(by_id[name].depends) <= done
        for one in batch:
            for other in batch:
                assert one == other or can_run_beside(by_id[one], by_id[other], clash)
        done |= set(batch)


def test_what_can_never_start_is_missing_in_the_plan() -> None:
    items = [item("a", hold="not yet"), item("b", 1, depends=("a",)), item("c", 2)]
    assert plan_batches(items, 2, clash) == (("c",),)


@pytest.mark.parametrize("lanes", [1, 7])
def test_a_plan_of_thousands_compares_few_pairs(lanes: int) -> None:
    compared = 0

    def count(_one: TaskItem, _other: TaskItem) -> bool:
        nonlocal compared
        compared += 1
        return True

    items = [item(f"t{number}", number, files=("src",)) for number in range(3000)]
    batches = plan_batches(items, lanes, count)
    assert batches == tuple((each.id,) for each in items)
    assert compared <= len(items) * 50 * (lanes > 1)
