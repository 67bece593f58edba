import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.sessions.counting.tasks import count_tasks
from orchestrator.sessions.models import SessionClass, Usage
from tests.sessions.hand_made import Script, build_session

RED = "=== 1 failed, 2 passed in 0.12s ==="
GREEN = "=== 3 passed in 0.12s ==="


def test_a_task_lasts_from_a_prompt_to_the_next() -> None:
    script = Script().prompt("One").bash("ls").answer().prompt("Two").bash("ls").bash("ls")
    first, second = count_tasks(build_session(script))
    assert (first.number, first.tool_calls, first.seconds) == (1, 1, 120.0)
    assert (second.number, second.tool_calls, second.seconds) == (2, 2, 120.0)
    assert first.version == "2.1.42"
    assert first.model == "m"


def test_the_one_prompt_of_a_headless_session_is_its_task() -> None:
    script = Script().prompt("One").edit().bash("pytest", GREEN)
    (task,) = count_tasks(build_session(script, kind=SessionClass.HEADLESS))
    assert (task.edits, task.suite_runs, task.first_green, task.resolved) == (1, 1, True, True)


def test_what_a_slash_command_started_is_task_0() -> None:
    first, second = count_tasks(build_session(Script().bash("ls").prompt("One").bash("ls")))
    assert (first.number, second.number) == (0, 1)
    (only,) = count_tasks(build_session(Script().bash("ls")))
    assert only.number == 0


def test_a_session_without_anything_is_one_empty_task() -> None:
    (task,) = count_tasks(build_session(Script()))
    assert (task.number, task.tool_calls, task.resolved) == (0, 0, None)


def test_red_runs_until_green() -> None:
    script = Script().prompt("Fix").edit().bash("pytest", RED, is_error=True)
    script.edit().bash("pytest", RED, is_error=True).edit().bash("pytest", GREEN)
    (task,) = count_tasks(build_session(script))
    assert (task.suite_runs, task.red_runs, task.resolved) == (3, 2, True)
    assert task.first_green is False


def test_each_runner_must_be_green_in_the_end() -> None:
    script = Script().prompt("Fix").edit().bash("pytest", RED, is_error=True)
    script.bash("go test ./...", "ok  \texample/a\t0.1s")
    (task,) = count_tasks(build_session(script))
    assert (task.red_runs, task.resolved) == (1, False)


def test_a_hidden_failure_is_red() -> None:
    script = Script().prompt("Fix").edit().bash("pytest | tail -3", RED)
    (task,) = count_tasks(build_session(script))
    assert (task.red_runs, task.resolved, task.first_green) == (1, False, False)


def test_nothing_is_said_where_no_test_ran_or_none_could_be_read() -> None:
    first, second = count_tasks(
        build_session(Script().prompt("a").edit().prompt("b").edit().bash("pytest | wc -l", "3"))
    )
    assert (first.suite_runs, first.resolved, first.first_green) == (0, None, None)
    assert (second.suite_runs, second.unknown_runs, second.resolved) == (1, 1, None)


def test_runs_before_the_first_edit_are_no_first_green() -> None:
    script = Script().prompt("Fix").bash("pytest", RED, is_error=True).edit()
    (task,) = count_tasks(build_session(script))
    assert (task.first_green, task.resolved) == (None, False)
    (task,) = count_tasks(build_session(script.bash("pytest", GREEN)))
    assert (task.first_green, task.resolved) == (True, True)


def test_interventions_are_counted_once_and_where_they_belong() -> None:
    script = Script().prompt("One").reject().interrupt().prompt("no, use pnpm").answer()
    script.interrupt().prompt("Three").reject("a b", message="m").reject("a b", message="m")
    tasks = count_tasks(build_session(script))
    assert [each.rejections for each in tasks] == [1, 0, 1]
    assert [each.interruptions for each in tasks] == [0, 1, 0]
    # A correction is about the task before the prompt that it is.
    assert [each.corrections for each in tasks] == [1, 0, 0]


def test_subagents_belong_to_the_task_in_which_they_worked() -> None:
    main = Script().prompt("One")
    for _ in range(8):
        main.bash("ls")
    main.prompt("Two")
    agent = Script("a1", 3).prompt("Look").answer(Usage(1, 2, 3, 4)).bash("ls").edit()
    late = Script("a2", 11).answer(Usage(1, 0, 0, 0))
    first, second = count_tasks(build_session(main, agent, late))
    # Interventions are in the main conversation, and so are the calls that they are divided by.
    assert (first.tool_calls, first.edits, first.tokens) == (8, 1, 10)
    assert second.tokens == 1


def test_a_killed_edit_is_no_edit() -> None:
    script = Script().prompt("Fix").call("Edit", None, file_path="a.py")
    (task,) = count_tasks(build_session(script))
    assert (task.tool_calls, task.edits) == (1, 0)


ACTIONS = st.lists(
    st.sampled_from(
        ["prompt", "correct", "ls", "red", "green", "edit", "reject", "stop", "answer"]
    ),
    max_size=40,
)


def act(actions: list[str]) -> Script:
    script = Script()
    for action in actions:
        match action:
            case "prompt":
                script.prompt("Do it")
            case "correct":
                script.prompt("no, use pnpm")
            case "red":
                script.bash("pytest", RED, is_error=True)
            case "green":
                script.bash("pytest", GREEN)
            case "edit":
                script.edit()
            case "reject":
                script.reject("use pnpm")
            case "stop":
                script.interrupt()
            case "answer":
                script.answer(Usage(1, 1, 1, 1))
            case _:
                script.bash("ls")
    return script


@given(ACTIONS)
def test_nothing_is_lost_or_counted_twice(actions: list[str]) -> None:
    tasks = count_tasks(build_session(act(actions)))
    calls = sum(each in ("ls", "red", "green", "edit", "reject") for each in actions)
    assert sum(each.tool_calls for each in tasks) == calls
    assert sum(each.red_runs for each in tasks) == actions.count("red")
    assert sum(each.edits for each in tasks) == actions.count("edit")
    assert sum(each.rejections for each in tasks) == actions.count("reject")
    assert sum(each.interruptions for each in tasks) <= actions.count("stop")
    assert sum(each.tokens for each in tasks) == 4 * actions.count("answer")
    assert [each.number for each in tasks if each.number] == list(
        range(1, actions.count("prompt") + actions.count("correct") + 1)
    )
    for each in tasks:
        assert each.resolved is None or each.suite_runs > each.unknown_runs
        assert each.first_green is None or (each.edits and each.suite_runs)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_subagents_makes_no_difference(seed: int) -> None:
    shuffler = random.Random(seed)  # noqa: S311 -- a shuffle in a test
    agents = [act(shuffler.choices(["ls", "red", "green", "edit", "answer"], k=6)) for _ in "abcd"]
    for number, each in enumerate(agents):
        each.thread.agent = f"a{number}"
    main = act(["prompt", "ls", "prompt", "edit", "prompt"])
    expected = count_tasks(build_session(main, *agents))
    shuffler.shuffle(agents)
    found = count_tasks(build_session(main, *agents))
    assert [each.tokens for each in found] == [each.tokens for each in expected]
    assert [each.red_runs for each in found] == [each.red_runs for each in expected]


def test_what_is_typed_while_the_model_works_corrects_the_task_that_runs() -> None:
    script = Script().prompt("Fix it").answer().bash("ls")
    script = script.interject("no, always use tabs here").answer().prompt("Now the docs").answer()
    assert [each.corrections for each in count_tasks(build_session(script))] == [1, 0]
