"""What the words of a task ask for."""

import pytest

from orchestrator.verdict.task_text import aims_beside_failures, asks_for_all_tests


@pytest.mark.parametrize(
    "task",
    [
        "Rename the local variables in invoice().",
        "Please add a docstring to pick()",
        "- [ ] Document shout().",
        "Turn Point into a dataclass.",
        "Make poll()'s default interval a constant.",
        "Let total() read well. Behaviour stays.",
        "Speed up to_csv without any change in behaviour.",
        "Add trim() and test it in test_strings.py.",
        "Could you type the function labels()?",
    ],
)
def test_what_repairs_nothing(task: str) -> None:
    assert aims_beside_failures(task)


@pytest.mark.parametrize(
    "task",
    [
        "Fix cents().",
        "cents() rounds the wrong way.",
        "Add a guard, so that total() does not crash.",
        "Rename f to g; test_g fails.",
        "Slugs lose their digits. Keep digits in slugs.",
        "Let upper() strip its text.",
        "Make Counter thread-safe.",
        "Write the total with two digits instead of one.",
        "Adding 1 and 2 gives 4.",
    ],
)
def test_what_may_be_about_a_red_test(task: str) -> None:
    assert not aims_beside_failures(task)


@pytest.mark.parametrize(
    ("task", "asked"),
    [
        ("Make all tests pass.", True),
        ("Fix the failing tests", True),
        ("All tests should still pass.", False),
        ("Add tests for clamp.", False),
    ],
)
def test_who_asks_for_all_tests(task: str, *, asked: bool) -> None:
    assert asks_for_all_tests(task) is asked
