"""What the words of a task ask for."""

import pytest

from orchestrator.verdict.task_text import asks_for_all_tests, asks_for_form, names_file


@pytest.mark.parametrize(
    "task",
    [
        "Rename the local variables in invoice(), so that they can be understood.",
        "Please add a docstring to pick()",
        "- [ ] Document shout().",
        "Add a type to scale().",
        "Reformat the module.",
        "Could you type the function labels()?",
    ],
)
def test_what_asks_for_form(task: str) -> None:
    assert asks_for_form(task)


@pytest.mark.parametrize(
    "task",
    [
        "Fix cents().",
        "cents() rounds the wrong way.",
        "Rename f to g; test_g fails.",
        "Slugs lose their digits. Keep digits in slugs.",
        "Let upper() strip its text.",
        "Make Counter thread-safe.",
        "Refactor parse() to accept bytes and str",
        "Turn Price into a dataclass",
        "Add a strict option to parse(); without it behaviour is unchanged",
        "Document.save() ought to write the title first; it should",
        "Add support for negative numbers to parse() in calc.py",
        "Write the body of parse() in calc.py",
        "Rewrite parse() so that it accepts hex",
        "Type errors of parse() are lost",
        "Format prices with two digits",
    ],
)
def test_what_asks_for_more_than_form(task: str) -> None:
    assert not asks_for_form(task)


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
        ("Add tests of trim() to tests/test_parse.py", False),
        ("Add trim() to tests/test_parse.py", False),
        ("Write trim() according to tests/test_parse.py", True),
        ("Write trim() similar to tests/test_parse.py", True),
        ("Put trim in, as said in tests/test_parse.py", True),
        ("Add a few more test cases in tests/test_parse.py.", False),
        ("Add trim(), and test it in tests/test_parse.py", False),
        ("Write a function to match the examples in tests/test_parse.py", True),
        ("Add trim as described in tests/test_parse.py", True),
        ("Create parse.py according to tests/test_parse.py", True),
        ("Add parse() for the tests in tests/test_parse.py", True),
        ("Write parse(), in tests/test_parse.py it should fail", True),
        ("Repair my_tests/test_parse.py", False),
    ],
)
def test_a_file_that_is_the_place_for_new_tests_is_not_meant(task: str, *, named: bool) -> None:
    assert names_file(task, "tests/test_parse.py") is named
