import math
import random
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.counting import metrics
from orchestrator.sessions.counting.metrics import (
    LEAST_FOR_TREND,
    Difference,
    Direction,
    MeasuredTask,
    Share,
    TaskSource,
    Week,
    count_tasks_of,
    count_weeks,
    find_percentile,
    find_week,
    split_at,
)

MONDAY = datetime(2026, 1, 26, 12, tzinfo=UTC)


def measure(day: float = 0, session: str = "s", **values: Any) -> MeasuredTask:
    known = {"source": TaskSource.PEOPLE, "project": "/p"} | values
    return MeasuredTask(session=session, started=MONDAY + timedelta(days=day), **known)


def test_red_runs_until_green() -> None:
    loops = [measure(red_runs=each, resolved=True) for each in (1, 1, 2, 10)]
    lost = [measure(red_runs=3, resolved=False)]
    green = [measure(red_runs=0, resolved=True, suite_runs=1)]
    numbers = count_tasks_of([*loops, *lost, *green])
    assert (numbers.red_median, numbers.red_p90) == (1.5, 10)
    assert numbers.unresolved == Share(1, 5)


def test_nothing_is_said_of_nothing() -> None:
    numbers = count_tasks_of([])
    assert (numbers.tasks, numbers.red_median, numbers.red_p90) == (0, None, None)
    assert numbers.unresolved.value is None
    assert numbers.interventions_per_session is None
    assert numbers.interventions_per_100_calls is None


def test_first_green_says_where_no_test_ran() -> None:
    numbers = count_tasks_of(
        [
            measure(edits=1, suite_runs=1, first_green=True),
            measure(edits=1, suite_runs=1, first_green=False),
            measure(edits=2),
            measure(edits=2, suite_runs=1),
            measure(),
        ]
    )
    assert numbers.first_green == Share(1, 2)
    assert (numbers.no_suite_ran, numbers.no_verdict) == (1, 1)


def test_interventions_per_session_and_per_hundred_calls() -> None:
    numbers = count_tasks_of(
        [
            measure(session="a", rejections=1, tool_calls=30),
            measure(session="a", interruptions=1, tool_calls=10),
            measure(session="b", corrections=1, tool_calls=10),
        ]
    )
    assert numbers.interventions_per_session == 1.5
    assert numbers.interventions_per_100_calls == 6.0


def test_what_was_in_vain_is_paid_for_too() -> None:
    runs = [
        measure(source=TaskSource.RUNS, cost_usd=1.0, seconds=60.0, resolved=True),
        measure(source=TaskSource.RUNS, cost_usd=0.5, seconds=30.0, resolved=False),
    ]
    numbers = count_tasks_of(runs)
    assert (numbers.cost_per_solved, numbers.seconds_per_solved) == (1.5, 90.0)
    unknown = [*runs, measure(source=TaskSource.RUNS, resolved=True)]
    assert count_tasks_of(unknown).cost_per_solved is None


def test_the_time_of_sessions_is_that_of_a_solved_task() -> None:
    tasks = [measure(seconds=each, resolved=True) for each in (60.0, 90.0, 9_999.0)]
    numbers = count_tasks_of([*tasks, measure(seconds=1e6), measure(seconds=1e6, resolved=False)])
    assert numbers.seconds_per_solved == 90.0


def test_sessions_and_runs_are_never_added_up() -> None:
    tasks = [measure(), measure(source=TaskSource.RUNS), measure(source=TaskSource.HEADLESS)]
    with pytest.raises(ValueError, match="never added up"):
        count_tasks_of(tasks)
    weeks = count_weeks(tasks, UTC)
    assert [each.source for each in weeks] == sorted(TaskSource)
    assert all(each.numbers.tasks == 1 for each in weeks)


def test_a_week_is_that_of_the_user() -> None:
    late = datetime(2026, 1, 25, 23, 30, tzinfo=UTC)
    assert str(find_week(late, UTC)) == "2026-W04"
    assert str(find_week(late, ZoneInfo("Europe/Berlin"))) == "2026-W05"
    assert find_week(datetime(2027, 1, 1, tzinfo=UTC), UTC) == Week(2026, 53)


def test_other_versions_and_models_are_marked() -> None:
    weeks = count_weeks(
        [
            measure(0, version="2.1.1", model="a"),
            measure(7, version="2.1.1", model="a"),
            measure(8, version="2.1.2", model="a"),
            measure(21, version="2.1.2", model="b"),
        ],
        UTC,
    )
    assert [each.other_versions for each in weeks] == [(), ("2.1.2",), ()]
    assert [each.other_models for each in weeks] == [(), (), ("b",)]
    assert weeks[0].since_last is None


def test_versions_are_in_their_order() -> None:
    tasks = [measure(version=each) for each in ("2.1.12", "2.1.9", "", "2.0.64", "beta")]
    assert count_tasks_of(tasks).versions == ("beta", "2.0.64", "2.1.9", "2.1.12")


def test_no_direction_below_twenty_tasks_on_either_side() -> None:
    for before, after in ((LEAST_FOR_TREND, LEAST_FOR_TREND - 1), (LEAST_FOR_TREND - 1, 99)):
        assert Difference(1.0, 2.0, before, after).direction is None
    enough = (LEAST_FOR_TREND, LEAST_FOR_TREND)
    assert Difference(1.0, 2.0, *enough).direction is Direction.UP
    assert Difference(2.0, 1.0, *enough).direction is Direction.DOWN
    assert Difference(0.1 + 0.2, 0.3, *enough).direction is Direction.SAME
    assert Difference(None, 1.0, *enough).direction is None


def test_a_direction_rests_on_the_tasks_that_a_number_is_made_of() -> None:
    many = [measure(0, tool_calls=1, first_green=True) for _ in range(LEAST_FOR_TREND)]
    later = [measure(7, tool_calls=1) for _ in range(LEAST_FOR_TREND - 1)]
    later.append(measure(7, tool_calls=1, rejections=1, first_green=False))
    differences = count_weeks([*many, *later], UTC)[1].since_last
    assert differences is not None
    assert differences.interventions_per_100_calls.direction is Direction.UP
    assert differences.first_green.direction is None


def test_a_moment_splits_before_and_after() -> None:
    found = split_at([measure(-1), measure(0), measure(1)], MONDAY)
    assert (found.before.tasks, found.after.tasks) == (1, 2)


def test_no_word_says_why() -> None:
    text = Path(metrics.__file__).read_text(encoding="utf-8").casefold()
    causal = r"because of|thanks to|due to|caused|improve\w*|effective|as a result"
    assert not re.findall(causal, text)


@given(st.lists(st.integers(0, 99), min_size=1), st.sampled_from([50, 90]))
def test_the_nearest_rank(values: list[int], percent: int) -> None:
    found = find_percentile(values, percent)
    assert found in values
    assert sum(each <= found for each in values) >= percent / 100 * len(values)
    below = [each for each in values if each < found]
    assert not below or len(below) < percent / 100 * len(values)


TASKS = st.lists(
    st.builds(
        measure,
        st.integers(0, 30),
        st.sampled_from(["a", "b", "c"]),
        tool_calls=st.integers(0, 50),
        edits=st.integers(0, 2),
        suite_runs=st.integers(0, 3),
        red_runs=st.integers(0, 5),
        resolved=st.sampled_from([None, True, False]),
        first_green=st.sampled_from([None, True, False]),
        rejections=st.integers(0, 3),
        cost_usd=st.sampled_from([0.1, 0.2, 0.7]),
        seconds=st.floats(0, 1e6),
        project=st.sampled_from(["/p", "/q"]),
        version=st.sampled_from(["", "1", "2"]),
    ),
    max_size=40,
)


@given(TASKS, st.randoms(use_true_random=False))
def test_the_order_of_tasks_makes_no_difference(
    tasks: list[MeasuredTask], shuffler: random.Random
) -> None:
    expected = count_weeks(tasks, UTC)
    shuffler.shuffle(tasks)
    assert count_weeks(tasks, UTC) == expected


@given(TASKS)
def test_weeks_hold_each_task_once(tasks: list[MeasuredTask]) -> None:
    weeks = count_weeks(tasks, UTC)
    assert sum(each.numbers.tasks for each in weeks) == len(tasks)
    assert sum(each.numbers.interventions for each in weeks) == sum(
        each.rejections for each in tasks
    )
    for each in weeks:
        for share in (each.numbers.unresolved, each.numbers.first_green):
            assert 0 <= share.count <= share.of


@given(TASKS, st.integers(0, 30))
def test_before_and_after_hold_each_task_once(tasks: list[MeasuredTask], day: int) -> None:
    found = split_at(tasks, MONDAY + timedelta(days=day))
    assert found.before.tasks + found.after.tasks == len(tasks)


@given(TASKS)
def test_runs_change_nothing_about_sessions(tasks: list[MeasuredTask]) -> None:
    runs = [replace(each, source=TaskSource.RUNS) for each in tasks]
    both = count_weeks([*runs, *tasks], UTC)
    people = [each for each in both if each.source is TaskSource.PEOPLE]
    assert people == count_weeks(tasks, UTC)
    assert not any(math.isnan(each.numbers.seconds_per_solved or 0) for each in both)
