"""The words of a task are interpreted as far as they concern old failures."""

import pytest

from orchestrator.verdict.task_text import (
    asks_for_all_tests,
    asks_for_form,
    asks_to_write,
    mentions_file,
)


@pytest.mark.parametrize(
    "task",
    [
        "Please add a docstring to pick()",
        "- [ ] Document shout().",
        "Document the module.",
        "Annotate the functions in shapes.py",
        "Add comments to parse() and render().",
        "Add type hints and docstrings to shop/prices.py.",
        "Give fetch() a docstring. Behaviour stays.",
        "Add a type to scale().",
        "Could you type the function labels()?",
    ],
)
def test_what_asks_for_form(task: str) -> None:
    assert asks_for_form(task)


@pytest.mark.parametrize(
    "task",
    [
        "Fix cents().",
        "Rename f to g.",
        "Rename files on upload to lower case",
        "Let upper() strip its text.",
        "Refactor parse() to accept bytes and str",
        "Turn Price into a dataclass",
        "Make rate a constant of 0.2",
        "Add a strict option to parse(); without it behaviour is unchanged",
        "Document.save() writes the title first",
        "Document shout() and return None for empty input",
        "Add support for comments to parse",
        "Add comments support to the parser",
        "Add a comment field to Order",
        "Add comments, and hide those of banned users",
        "Add type checks to area()",
        "Add types to the parser: numbers and strings",
        "Give fetch() a docstring and a constant for the limit.",
        "Add docstrings to f(). Then let it return None.",
        "Type errors of parse() are lost",
        "Format prices with two digits, always",
        "Format price() as currency",
        "Format numbers using thousands separators",
        "Reformat phone numbers in normalize()",
        "Comment out the tax line",
        "Write comments to the database",
        "Add user comments to Post",
        "Add annotations to the map",
        "Annotate the queryset, using total",
        "Type methods return Decimal",
        "Document price() as currency",
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
        ("Introduce trim(), see the tests in tests/test_parse.py", True),
        ("Create the function tests use in tests/test_parse.py", True),
        ("Write a function satisfying the tests in tests/test_parse.py", True),
        ("Write trim() according to tests/test_parse.py", True),
        ("Write trim() similar to tests/test_parse.py", True),
        ("Put trim in, as said in tests/test_parse.py", True),
        ("Write a function to match the examples in tests/test_parse.py", True),
        ("Add trim as described in tests/test_parse.py", True),
        ("Create parse.py according to tests/test_parse.py", True),
        ("Add parse() for the tests in tests/test_parse.py", True),
        ("Add the missing cases in tests/test_parse.py to parse.py", True),
        ("Write code until the tests in tests/test_parse.py are happy", True),
        ("Write whatever the tests ask for in tests/test_parse.py", True),
        ("Make trim() work. We test this in tests/test_parse.py", True),
        ("Write parse(), in tests/test_parse.py it should fail", True),
        ("Repair my_tests/test_parse.py", False),
        ("Add tests of trim() to tests/test_parse.py", False),
        ("Add trim() to tests/test_parse.py", False),
        ("Add a few more test cases in tests/test_parse.py.", False),
        ("Add trim(), and test it in tests/test_parse.py", False),
        ("Implement trim() and add a test in `tests/test_parse.py`", False),
        ("Implement trim(). Add a parametrized test in tests/test_parse.py", False),
        ("Could you add a test to tests/test_parse.py?", False),
        ("Add trim() to strings.py.\n\nCover it in tests/test_parse.py", False),
    ],
)
def test_a_file_that_is_the_place_for_new_tests_is_not_meant(task: str, *, named: bool) -> None:
    assert mentions_file(task, "tests/test_parse.py") is named


@pytest.mark.parametrize(
    ("task", "module"),
    [
        ("Write tax, with a function vat()", "tax"),
        ("write a new module tax", "tax"),
        ("Please implement the `tax` module so that the tests pass.", "tax"),
        ("Create the packages shop and tax", "tax"),
        ("Add tax to the project", "tax"),
        ("Start by writing tax", "tax"),
        ("Write these modules:\n- shop\n- tax\n", "tax"),
        ("The tests of tax fail. Write it in tax.py", "tax"),
        ("tax.py is missing", "tax"),
        ("src/tax/__init__.py is missing", "tax"),
        ("Implement shop.tax", "shop.tax"),
        ("Fill shop/tax.py", "shop.tax"),
        ("Do not change shop. Write tax", "tax"),
    ],
)
def test_what_asks_to_write_a_module(task: str, module: str) -> None:
    assert asks_to_write(task, module)


@pytest.mark.parametrize(
    ("task", "module"),
    [
        ("fix the yaml parser", "yaml"),
        ("Fix yaml", "yaml"),
        ("Add a yaml parser", "yaml"),
        ("write yaml output", "yaml"),
        ("Write a parser for yaml", "yaml"),
        ("Add a test that imports yaml", "yaml"),
        ("Create a report with numpy", "numpy"),
        ("Implement loading using yaml", "yaml"),
        ("Add a function vat() to tax", "tax"),
        ("Write tests/test_tax.py", "tax"),
        ("Do not write tax", "tax"),
        ("Don't write tax", "tax"),
        ("Write prices. The module tax is slow", "tax"),
        ("", "tax"),
    ],
)
def test_what_only_names_a_module(task: str, module: str) -> None:
    assert not asks_to_write(task, module)
