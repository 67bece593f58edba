"""Which changes of code do nothing."""

import pytest

from orchestrator.verdict.definitions import MODULE, changed_definitions

CODE = '''
import os
from shop import rates


def price(net, rate=0.19):
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
        ("def price(net, rate=0.19):", 'def price(net, rate=0.19):\n    """Return the gross."""'),
        ("def price(net, rate=0.19):", "def price(net: float, rate: float = 0.19) -> float:"),
        ("total", "gross"),
        ("net", "amount"),
        ("    total =", "    total: float ="),
        ("    total =", "    # with the tax\n    total ="),
        ("rate=0.19):", "rate=0.19):\n    pass"),
        ('"""An order."""', '"""Something that a customer wants."""'),
        ('"""An order."""\n', ""),
        ("    def text(self):", '    def text(self) -> str:\n        """Return it."""'),
        ("import os\n", "from __future__ import annotations\n\nimport os\nimport typing\n"),
        ("import os\nfrom shop import rates", "from shop import rates\nimport os"),
    ],
)
def test_what_changes_nothing(old: str, new: str) -> None:
    changed = CODE.replace(old, new)
    assert changed != CODE
    assert changed_definitions(CODE, changed) == set()


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("0.19", "0.2", {"price"}),
        ("round(total, 2)", "round(total, 3)", {"price"}),
        ("(1 + rate)", "(1 + net)", {"price"}),
        ("round(", "int(", {"price"}),
        (
            "def price(net, rate=0.19):",
            "RATE = 1\n\n\ndef price(net, rate=RATE):",
            {"price", "RATE"},
        ),
        ("cents: int", "cents: float", {"Order"}),
        ("self.cents", "self.euros", {"text"}),
        ("@property", "@route", {"text"}),
        ("import os\n", "", {"os"}),
        ("from shop import rates\n", "", {MODULE}),
        ("import os\n", "import os\nimport shop.extras\n", {MODULE}),
        ('"""An order."""', "pass\n    vat = 1", {"Order", "vat"}),
    ],
)
def test_what_changes_something(old: str, new: str, names: set[str]) -> None:
    changed = CODE.replace(old, new)
    assert changed_definitions(CODE, changed) == names


def test_a_constant_that_was_there_is_seen() -> None:
    old = "LIMIT = 1\n\n\ndef f():\n    return LIMIT\n"
    assert changed_definitions(old, old.replace("1", "2")) == {"LIMIT"}


def test_what_may_be_read_is_kept() -> None:
    old = '@command\ndef run(name):\n    """Run."""\n'
    for new in (old.replace("name", "name: int"), old.replace("Run.", "Go."), old[9:]):
        assert changed_definitions(old, new) == {"run"}
    plain = 'def run(name):\n    """Run."""\n'
    assert changed_definitions(plain, plain.replace("Run", "Go"), docs=True) == {"run"}


def test_names_that_code_asks_for_are_kept() -> None:
    old = 'def f(a):\n    b = a\n    return "%(b)s" % locals()\n'
    assert changed_definitions(old, old.replace("b = a", "c = a")) == {"f"}
    inner = "def f():\n    class A:\n        x = 1\n    return A\n"
    assert changed_definitions(inner, inner.replace("x", "y")) == {"f"}
    outer = "def f():\n    global x\n    x = 1\n"
    assert changed_definitions(outer, outer.replace("x", "y")) == {"f"}


def test_a_doctest_is_code() -> None:
    old = 'def f():\n    """Return one.\n\n    >>> f()\n    1\n    """\n    return 1\n'
    assert changed_definitions(old, old.replace("    1\n", "    2\n")) == {"f"}
    assert changed_definitions("def f():\n    return 1\n", old) == set()
