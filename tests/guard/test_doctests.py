"""Doctests in product files are tests; what is written beside them is not."""

from pathlib import Path

import pytest

from orchestrator.guard.doctests import find_edited_doctests, read_doctests
from orchestrator.models import FindingKind, RunOutcome
from tests.guard.projects import COMMAND, Attempts, Edit, list_finding_kinds, make_project, write

DOCTESTS = '''"""Sums."""


def add(a, b):
    """Add.

    >>> x = 1
    >>> add(x, 2)
    3
    >>> add("a", 1)
    Traceback (most recent call last):
    TypeError: no
    """
    return a - b
'''
NAMES = ["calc.py", "more.py"]

EDITS: dict[str, tuple[tuple[str, str], str]] = {
    "another value": (("    3\n", "    -1\n"), "add(x, 2)"),
    "skipped": (("add(x, 2)", "add(x, 2)  # doctest: +SKIP"), "add(x, 2)"),
    "removed": (("    >>> add(x, 2)\n    3\n", ""), "add(x, 2)"),
    "no example any more": ((">>> add(x", ">> add(x"), "add(x, 2)"),
    "another error": (("TypeError: no", "TypeError: yes"), 'add("a", 1)'),
    "other input": (("x = 1", "x = 5"), "x = 1"),
    "a name with a new meaning": (("    >>> x = 1\n", "    >>> x = 1\n    >>> x += 4\n"), "x += 4"),
    "the function replaced": (
        ("    >>> x = 1\n", "    >>> x = 1\n    >>> def add(a, b): return 3\n"),
        "def add",
    ),
}


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_example_is_found(project: Path, edit: str) -> None:
    (old, new), named = EDITS[edit]
    write(project, {"calc.py": DOCTESTS})
    before = read_doctests(project, NAMES)
    write(project, {"calc.py": DOCTESTS.replace(old, new)})
    changed = find_edited_doctests(project, before, NAMES)
    assert [each.decisive for each in changed][:1] == [True]
    assert any(named in each.text for each in changed)


def test_of_many_edited_examples_the_rest_is_counted(project: Path) -> None:
    examples = "".join(f"    >>> {number}\n    {number}\n" for number in range(25))
    write(project, {"calc.py": f'def add():\n    """Add.\n\n{examples}    """\n'})
    before = read_doctests(project, NAMES)
    write(project, {"calc.py": ""})
    *_, rest = find_edited_doctests(project, before, NAMES)
    assert (rest.text, rest.decisive) == ("and 5 more examples", True)


def test_code_prose_and_new_examples_are_free(project: Path) -> None:
    write(project, {"calc.py": DOCTESTS})
    before = read_doctests(project, NAMES)
    more = DOCTESTS.replace("a - b", "a + b").replace(
        "    Add.\n", "    Sum two.\n\n    >>> y = 7\n"
    )
    write(project, {"calc.py": "import sys\n" + more})
    assert find_edited_doctests(project, before, NAMES) == []
    write(project, {"more.py": DOCTESTS, "calc.py": "from more import add\n"})
    assert find_edited_doctests(project, before, NAMES) == []


def calc(text: str) -> Edit:
    return lambda project: write(project, {"calc.py": text})


@pytest.mark.parametrize(
    ("command", "more"),
    [
        (f"{COMMAND} --doctest-modules calc.py", {}),
        (
            COMMAND,
            {
                "tests/test_docs.py": "import doctest\nimport calc\n\n\n"
                "def test_docs():\n    assert not doctest.testmod(calc).failed\n"
            },
        ),
    ],
)
def test_an_edited_doctest_is_not_solved(project: Path, command: str, more: dict[str, str]) -> None:
    doctests = '"""Sums.\n\n>>> add(2, 2)\n4\n"""\n'
    test = "from calc import double\n\n\ndef test_double():\n    assert double(1) == 2\n"
    double = "\n\ndef double(x):\n    return 2 * x\n"
    wrong = f"{doctests}\n\ndef add(a, b):\n    return a - b\n{double}"
    make_project(project, {"calc.py": wrong, "tests/test_calc.py": test, **more})
    result = Attempts(project, calc(wrong.replace("\n4\n", "\n0\n")), command=command).run()
    assert result.outcome is RunOutcome.NOT_SOLVED
    assert FindingKind.TEST in list_finding_kinds(result)


def test_mended_code_with_new_examples_is_solved(project: Path) -> None:
    command = f"{COMMAND} --doctest-modules calc.py"
    wrong = '"""Sums.\n\n>>> add(2, 2)\n4\n"""\n\n\ndef add(a, b):\n    return a - b\n'
    test = "from calc import add\n\n\ndef test_nothing():\n    assert add(0, 0) == 0\n"
    make_project(project, {"calc.py": wrong, "tests/test_calc.py": test})
    right = wrong.replace("a - b", "a + b").replace(
        ">>> add(2, 2)", ">>> add(1, 1)\n2\n>>> add(2, 2)"
    )
    result = Attempts(project, calc(right), command=command).run()
    assert result.outcome is RunOutcome.SOLVED
