"""What a product replaces in modules of others is reported; what is usual is not."""

from pathlib import Path

import pytest

from orchestrator.suites.pytest.suite import PytestSuite
from tests.sampling import leave_to_whole
from tests.suites.projects import PYTEST, write

TESTS = """
    import json, math, pathlib
    from product import one
    def test_x(): assert one() == 1
    def test_y(): assert one() == 1
"""

PATCHES = {
    "a partial of a function in C": """
        import functools, math
        math.isclose = functools.partial(math.isclose, abs_tol=1)
    """,
    "a function": """
        import json
        loads = json.loads
        def tidy(text): return loads(text)
        json.loads = tidy
    """,
    "an object that can be called": """
        import json
        class Lenient:
            def __call__(self, text): return {}
        json.loads = Lenient()
    """,
    "a class": """
        import decimal
        class Decimal(decimal.Decimal): pass
        decimal.Decimal = Decimal
    """,
    "a method": """
        import pathlib
        read = pathlib.Path.read_bytes
        pathlib.Path.read_bytes = lambda self: read(self)
    """,
    "a function of an installed module that tests use": """
        import pytest
        def approx(value): return value
        pytest.approx = approx
    """,
    "a hook of imports": """
        import sys
        class Finder:
            def find_spec(self, name, path=None, target=None): return None
        sys.meta_path.insert(0, Finder())
    """,
    "a hook of imports that goes again": """
        import importlib.util, sys
        class Finder:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[-1] == "test_b":
                    sys.meta_path.remove(self)
                    file = __file__[:-10] + "tests/test_b.py"
                    spec = importlib.util.spec_from_file_location(name, file)
                    read = spec.loader.get_source
                    spec.loader.get_code = lambda name: compile(read(name), "x", "exec")
                    return spec
        sys.meta_path.insert(0, Finder())
    """,
    "an int that is equal to its neighbours": """
        Cents = type("Cents", (int,), {})
        for name, value in {"eq": lambda a, b: abs(int(a) - int(b)) <= 1}.items():
            setattr(Cents, f"__{name}__", value)
    """,
    "a float by an operator": """
        import operator
        Price = type("Price", (float,), {"__eq__": lambda a, b: operator.le(0, 1)})
    """,
    "an object": """
        class Any:
            def __ne__(self, other): return False
    """,
    "a list": """
        class Rows(list):
            def __eq__(self, other): return len(self) == len(list(other))
    """,
}


@pytest.mark.parametrize("patch", leave_to_whole(PATCHES))
def test_a_patch_is_reported(project: Path, patch: str) -> None:
    code = PATCHES[patch] + "\n        def one(): return 1\n"
    write(project, product=code, tests__test_a=TESTS, tests__test_b=TESTS)
    report = PytestSuite(f"{PYTEST} tests", 60).run(project)
    assert report.has_passed, report.output
    assert report.forged, report.output


HONEST = """
    import collections, dataclasses, enum, functools, json, logging, sys, threading, time, typing
    import warnings
    from decimal import Decimal

    def one(): return 1

    @dataclasses.dataclass(frozen=True)
    class Money:
        amount: int

    class Color(str, enum.Enum):
        RED = "red"
        def __eq__(self, other): return str(self.value) == str(getattr(other, "value", other))
        __hash__ = str.__hash__

    class Name(str):
        def __eq__(self, other): return self.lower() == str(other).lower()
        __hash__ = str.__hash__

    class Point(typing.NamedTuple):
        x: int

    class Version:
        def __init__(self, text): self.parts = text.split(".")
        def __eq__(self, other): return self.parts == other.parts

    class Condition: pass
    class Field:
        def __eq__(self, other): return Condition()

    class Matrix(list):
        def __eq__(self, other): return list(self) == list(other)

    class Fixed(Decimal):
        def __eq__(self, other): return Decimal.__eq__(self, other)

    class Logger(logging.Logger): pass
    logging.setLoggerClass(Logger)
    class Encoder(json.JSONEncoder):
        def default(self, value): return str(value)
    def show(*values): pass
    warnings.showwarning = show
    sys.excepthook = threading.excepthook = show
    singled = functools.singledispatch(show)
    @singled.register
    def _(value: int): pass
    collections.my_own = show
"""


@pytest.mark.parametrize("options", ["", "-n 2 -p xdist"])
def test_usual_code_is_not_reported(project: Path, options: str) -> None:
    tests = TESTS + (
        "    import time\n    import product\n"
        "    def test_patched(monkeypatch):\n"
        "        monkeypatch.setattr(time, 'time', product.one)\n        assert time.time() == 1\n"
        "    def test_left(): time.ctime = lambda: 'never'\n"
    )
    write(project, product=HONEST, tests__test_a=tests)
    report = PytestSuite(f"{PYTEST} -p no:randomly {options} tests", 60).run(project)
    assert report.has_passed, report.output
    assert report.forged == ()
