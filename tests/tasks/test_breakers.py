"""When a list stops because nothing moves any more."""

import pytest

from orchestrator.models import RunOutcome
from orchestrator.tasks.breakers import Breaker
from orchestrator.tasks.models import TaskEnd


def fail(fingerprint: str = "", failing: int = 0) -> TaskEnd:
    cases = tuple(f"case {number}" for number in range(failing))
    return TaskEnd(RunOutcome.NOT_SOLVED, fingerprint=fingerprint, failing=cases)


SOLVED = TaskEnd(RunOutcome.SOLVED)


def test_tasks_in_a_row_without_progress_stop_the_list() -> None:
    breaker = Breaker(3)
    for task in "aabb":
        breaker.observe(task, fail(), solved=False)
    assert breaker.find_reason() == ""
    breaker.observe("c", fail(), solved=False)
    assert breaker.find_reason() == "3 tasks in a row without progress"


def test_a_solved_task_starts_the_count_again() -> None:
    breaker = Breaker(2)
    for number in range(5):
        breaker.observe(f"a{number}", fail(), solved=False)
        breaker.observe("b", SOLVED, solved=True)
    assert breaker.find_reason() == ""


def test_fewer_failing_cases_are_progress_and_equal_or_more_are_none() -> None:
    breaker = Breaker(2)
    breaker.observe("a", fail(failing=9), solved=False)
    breaker.observe("b", fail(failing=9), solved=False)
    assert breaker.find_reason()
    breaker.observe("b", fail(failing=7), solved=False)
    assert breaker.find_reason() == ""
    breaker.observe("a", fail(failing=9), solved=False)
    breaker.observe("b", fail(failing=8), solved=False)
    assert breaker.find_reason()


@pytest.mark.parametrize("failing", [(5, 4, 3, 2), (1, 1, 1, 1)])
def test_the_same_failure_of_tasks_in_a_row_stops_the_list_whatever_the_counts(
    failing: tuple[int, ...],
) -> None:
    breaker = Breaker(4)
    for number, count in enumerate(failing):
        breaker.observe(f"task {number}", fail("f1", count), solved=False)
    assert breaker.find_reason() == "4 tasks in a row with the same failure"


def test_the_same_failure_of_one_task_stops_nothing() -> None:
    breaker = Breaker(2)
    for _ in range(5):
        breaker.observe("a", fail("f1"), solved=False)
    assert breaker.find_reason() == ""


def test_failures_without_a_fingerprint_are_not_the_same() -> None:
    breaker = Breaker(3)
    for task in "abab":
        breaker.observe(task, fail("", 3), solved=False)
        breaker.observe(task, SOLVED, solved=True)
    assert breaker.find_reason() == ""
