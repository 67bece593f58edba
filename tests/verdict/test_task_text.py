"""What the words of a task ask for."""

import pytest

from orchestrator.verdict.task_text import asks_for_all_tests, keeps_behaviour, names_file


@pytest.mark.parametrize(
    "task",
    [
        "Rename the local variables in invoice(), so that they can be understood.",
        "Please add a docstring to pick()",
        "- [ ] Document shout().",
        "Turn Point into a dataclass.",
        "Make poll()'s default interval a constant.",
        "Let total() read well. Behaviour stays.",
        "Speed up to_csv without any change in behaviour.",
        "Add a type to scale().",
        "Reformat the module.",
        "Could you type the function labels()?",
    ],
)
def test_what_keeps_behaviour(task: str) -> None:
    assert keeps_behaviour(task)


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
        "Fix the sign bug in parse(). Keep the existing behaviour for positive numbers.",
        "Fix the crash in parse; behaviour stays the same otherwise",
        "Add support for negative numbers to parse() in calc.py",
        "Write the body of parse() in calc.py",
        "Remove the trailing newline that render() returns",
        "Delete duplicate entries from the result of unique()",
        "Split names on commas, too",
        "Rewrite parse() so that it accepts hex",
        "Speed is off by factor 10 in speed()",
        "Type errors of parse() are lost",
        "Format prices with two digits",
    ],
)
def test_what_may_be_about_a_red_test(task: str) -> None:
    assert not keeps_behaviour(task)


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


@pytest.mark.parametrize(
    ("task", "named"),
    [
        ("Add support for hex to parse(); see tests/test_parse.py", True),
        ("tests/test_parse.py is red", True),
        ("Fix what is red in tests/test_parse.py", True),
        ("Add trim(), and test it in tests/test_parse.py", False),
        ("Write parse(), in tests/test_parse.py it should fail", True),
        ("Repair my_tests/test_parse.py", False),
    ],
)
def test_a_file_that_is_the_place_for_something_new_is_not_meant(task: str, *, named: bool) -> None:
    assert names_file(task, "tests/test_parse.py") is named
