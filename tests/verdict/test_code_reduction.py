"""Which changes of code do nothing, for a task that asks for how it reads."""

import pytest

from orchestrator.verdict.definitions import MODULE, Reduction, find_changed_definitions

FORM = Reduction.DOCS_AND_ANNOTATIONS
CODE = '''
import os
from shop import rates

RATE = 0.19


def price(net, rate=RATE):
    total = net * (1 + rate)
    return round(total, 2)


class Order:
    """An order."""

    cents: int = 0

    @property
    def text(self):
        return f"{self.cents} cents"


PRICES = [price(n) for n in (1, 2)]
'''


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("rate=RATE):", 'rate=RATE):\n    """Return the gross."""'),
        ("(net, rate=RATE):", "(net: float, rate: float = RATE) -> float:"),
        ("    total =", "    # with the tax\n    total ="),
        ("RATE = 0.19", 'RATE = 0.19\n"""Of the tax."""'),
        ('"""An order."""', '"""Something that a customer wants."""'),
        ('"""An order."""\n', ""),
        ("    def text(self):", '    def text(self) -> str:\n        """Return it."""'),
        ("import os\n", "from __future__ import annotations\n\nimport os\nimport typing\n"),
        ("import os\n", "import os\nfrom collections.abc import Iterable\n"),
        ("RATE = 0.19", "if TYPE_CHECKING:\n    from shop import Order as Other\n\nRATE = 0.19"),
    ],
)
def test_what_changes_nothing(old: str, new: str) -> None:
    changed = CODE.replace(old, new)
    assert changed != CODE
    assert find_changed_definitions(CODE, changed, FORM) == set()


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("0.19", "0.2", {"RATE"}),
        ("round(total, 2)", "round(total, 3)", {"price"}),
        ("total", "gross", {"price"}),
        ("net", "amount", {"price"}),
        ("    total =", "    total: float =", {"price"}),
        ("cents: int", "cents: float", {"Order"}),
        ("self.cents", "self.euros", {"text"}),
        ("@property", "@route", {"text"}),
        ('"""An order."""', "vat = 1", {"Order", "vat"}),
        ("def text", "def words", {"text", "words"}),
        ("import os\n", "", {MODULE}),
        ("from shop import rates\n", "", {MODULE}),
        ("import os\n", "import os\nimport shop.extras\n", {MODULE}),
        ("import os\n", "import os\nimport json\n", {MODULE}),
        ("import os\n", "import os\nfrom typing import *\n", {MODULE}),
        ("import os\n", "import os\nfrom typing import cast as round\n", {MODULE}),
        ("import os\n", "import os\nfrom typing import Final as rates\n", {MODULE}),
        ("RATE = 0.19", "if TYPE_CHECKING:\n    RATE = 0.2\nRATE = 0.19", {MODULE}),
    ],
)
def test_what_changes_something(old: str, new: str, names: set[str]) -> None:
    changed = CODE.replace(old, new)
    assert changed != CODE
    found = find_changed_definitions(CODE, changed, FORM)
    assert found == names or (MODULE in names and MODULE in found)


def test_what_a_decorator_may_read_is_kept() -> None:
    old = '@command\ndef run(name):\n    """Run."""\n'
    for new in (old.replace("name", "name: int"), old.replace("Run.", "Go."), old[9:]):
        assert find_changed_definitions(old, new, FORM) == {"run"}


def test_annotations_may_count_alone() -> None:
    old = 'def f(a):\n    """One."""\n'
    typed, documented = old.replace("a)", "a: list)"), old.replace("One", "Two")
    assert find_changed_definitions(old, typed, Reduction.DOCS) == {"f"}
    assert find_changed_definitions(old, documented, Reduction.DOCS) == set()
    assert find_changed_definitions(old, documented) == {"f"}


def test_a_doctest_is_code() -> None:
    old = 'def f():\n    """Return one.\n\n    >>> f()\n    1\n    """\n    return 1\n'
    assert find_changed_definitions(old, old.replace("    1\n", "    2\n"), FORM) == {"f"}
    assert find_changed_definitions("def f():\n    return 1\n", old, FORM) == set()


@pytest.mark.parametrize("depth", [90, 600, 900, 5000])
def test_code_that_is_nested_too_deeply_differs_as_a_whole(depth: int) -> None:
    old = "x = " + " + ".join(["1"] * depth) + "\n"
    for reduction in Reduction:
        found = find_changed_definitions(old, old.replace("1\n", "2\n"), reduction)
        assert found in ({"x"}, {MODULE})
