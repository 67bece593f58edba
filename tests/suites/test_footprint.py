"""The footprint: what a verdict depends on, as pytest reports it."""

import json
from pathlib import Path

import pytest

from orchestrator.models import SuiteOutcome, SuiteReport
from orchestrator.models.footprint import Footprint, Reach
from orchestrator.suites.pytest.suite import PLUGIN_FOLDER, PytestSuite
from tests.suites.projects import PYTEST, wrap_command, write

A = "tests/test_a.py"


@pytest.fixture
def shop(project: Path) -> Path:
    write(
        project,
        shop__cart="""
            from shop import money
            class Cart:
                def total(self): return money.add([])
            """,
        shop__money="def add(values): return sum(values)\n",
        shop__tax="""
            import pathlib
            RATE = 7
            def tax(value): return value * RATE
            def text(): return pathlib.Path(__file__).with_name("rates.txt").read_text()
            """,
        shop__testing="""
            import pytest
            @pytest.fixture
            def cart():
                from shop import Cart
                return Cart()
            """,
        script="print(1)\n",
        conftest="from shop.testing import *\n",
        tests__helpers="""
            import pathlib
            from shop.tax import tax
            def load(): return (pathlib.Path(__file__).parent / "data.txt").read_text()
            def taxed(): return tax(1)
            """,
        tests__test_a="""
            import subprocess, sys, unittest
            import helpers, shop
            from shop import RATE, money as m
            def test_cart(cart): assert cart.total() == 0
            def test_data(): assert helpers.load() == "1"
            def test_tax(): assert helpers.taxed() == 8
            def test_rate(): assert RATE == 7
            def test_text(): assert shop.tax.__globals__["text"]() == "2"
            def test_nothing(): assert 0
            def test_script(): assert subprocess.run([sys.executable, "script.py"]).returncode == 0
            class TestMoney(unittest.TestCase):
                def setUp(self): self.sum = m.add([1])
                def test_sum(self): self.assertEqual(self.sum, 1)
            """,
    )
    (project / "shop/__init__.py").write_text(
        "from .cart import Cart\nfrom .tax import RATE, tax\n", encoding="utf-8"
    )
    (project / "tests/data.txt").write_text("1", encoding="utf-8")
    (project / "shop/rates.txt").write_text("2", encoding="utf-8")
    (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    return project


def observe(project: Path, command: str = f"{PYTEST} tests") -> tuple[SuiteReport, Footprint]:
    report, footprint = PytestSuite(command, 60).run_with_footprint(project)
    assert footprint, report.output
    return report, footprint


def inside(project: Path, files: tuple[str, ...]) -> set[str]:
    top = project.resolve()
    return {Path(each).relative_to(top).as_posix() for each in files if top in Path(each).parents}


@pytest.mark.parametrize(
    "command", [f"{PYTEST} tests", wrap_command("tests"), f"{PYTEST} -p xdist -n 2 tests"]
)
def test_files_are_classified_by_their_purpose(shop: Path, command: str) -> None:
    report, footprint = observe(shop, command)
    assert report.complete
    assert inside(shop, footprint.tests) == {A}
    assert inside(shop, footprint.steering) == {"pytest.ini", "conftest.py", "shop/testing.py"}
    assert inside(shop, footprint.data) == {"tests/data.txt"}
    assert {"tests/conftest.py", "pyproject.toml", "tests/pytest.ini"} <= inside(
        shop, footprint.absent
    )
    # The checkout that these tests are run from may bring modules of its own.
    own = {each.file: inside(shop, (each.file,)) for each in footprint.modules}
    modules = {next(iter(own[each.file])): each for each in footprint.modules if own[each.file]}
    assert "shop/money.py" in modules
    assert "shop/money.py" in inside(shop, modules["shop/cart.py"].imports)
    assert modules["shop/testing.py"].provides
    assert any("_pytest/runner.py" in each for each in footprint.runner)
    assert any(each.endswith("/json/__init__.py") for each in footprint.installed)
    assert str(PLUGIN_FOLDER) not in json.dumps(footprint.as_json())
    assert Footprint.from_json(json.loads(json.dumps(footprint.as_json()))) == footprint


def test_each_case_reaches_what_its_own_code_uses(shop: Path) -> None:
    _report, footprint = observe(shop)
    reach = {case: inside(shop, files) for case, files in footprint.reach.items()}
    assert reach[f"{A}::test_nothing"] == {A}
    assert {"shop/cart.py", "shop/money.py", "shop/testing.py"} <= reach[f"{A}::test_cart"]
    assert "shop/tax.py" not in reach[f"{A}::test_cart"]
    assert {"tests/helpers.py", "shop/tax.py"} <= reach[f"{A}::test_tax"]
    assert "shop/tax.py" in reach[f"{A}::test_rate"]
    assert reach[f"{A}::test_script"] == {A, "script.py"}
    assert "shop/money.py" in reach[f"{A}::TestMoney::test_sum"]
    assert "shop/cart.py" not in reach[f"{A}::TestMoney::test_sum"]


def test_a_failing_case_has_its_reach_without_being_observed(shop: Path) -> None:
    report = PytestSuite(f"{PYTEST} tests", 60).run(shop)
    failing = {case.id: case for case in report.failing}
    assert set(failing) == {f"{A}::test_tax", f"{A}::test_nothing"}
    assert "shop/tax.py" in failing[f"{A}::test_tax"].reach
    assert "tax" in failing[f"{A}::test_tax"].names
    assert failing[f"{A}::test_nothing"].reach == (A,)
    assert failing[f"{A}::test_tax"].file == A
    assert failing[f"{A}::test_tax"].raised[-1].type == "builtins.AssertionError"
    assert all(not case.reach for case in report.cases if not case.is_failing)


def test_a_module_with_doctests_is_not_a_test_file(project: Path) -> None:
    write(project, product='def one():\n    """\n    >>> one()\n    1\n    """\n    return 1\n')
    report, footprint = observe(project, f"{PYTEST} --doctest-modules product.py")
    assert report.has_passed
    assert inside(project, footprint.tests) == set()
    assert inside(project, footprint.reach["product.py::product.one"]) == {"product.py"}


def test_a_suite_that_does_not_finish_has_no_footprint(project: Path) -> None:
    write(project, tests__test_a="import os\ndef test_x(): os._exit(0)\n")
    report, footprint = PytestSuite(f"{PYTEST} tests", 60).run_with_footprint(project)
    assert (report.outcome, report.complete, footprint) == (SuiteOutcome.CRASHED, False, None)


def test_a_worker_that_replaces_a_dead_one_reports_the_reach_of_its_cases(project: Path) -> None:
    write(
        project,
        product="def work(): pass\n",
        tests__test_a="""
            import os, product
            def test_w(): product.work()
            def test_x(): product.work(); os._exit(1)
            def test_y(): pass
            """,
    )
    report, footprint = observe(project, f"{PYTEST} -p xdist -n 1 tests")
    assert [case.id for case in report.failing] == [f"{A}::test_x"]
    for name in ("test_w", "test_x"):
        assert inside(project, footprint.reach[f"{A}::{name}"]) == {A, "product.py"}


def test_a_set_of_files_is_held_once_however_many_cases_reach_it() -> None:
    files = [f"/project/module_{number}.py" for number in range(400)]
    given = {f"a.py::test_{number}": tuple(files[number % 2 :]) for number in range(20_000)}
    footprint = Footprint(reach=Reach(given))
    text = json.dumps(footprint.as_json())
    assert len(text) < 1_000_000
    read = Footprint.from_json(json.loads(text))
    assert read == footprint
    assert dict(read.reach) == given
    assert len({id(each) for each in read.reach.values()}) == 2
    assert read.reach.get("a.py::test_new") is None


def test_a_failing_case_names_the_methods_under_test_that_it_calls(project: Path) -> None:
    write(
        project,
        stack="""
            import functools
            class Stack:
                def peek(self): return self.items[-1]
                @staticmethod
                def empty(): return Stack()
                @functools.cached_property
                def size(self): return 1
            """,
        other="def unused(): pass\n",
        tests__test_a="""
            import other
            from stack import Stack
            def helper(made): return made
            def test_x(): assert [helper(Stack()).peek().unused() for _ in "x"]
            def test_y(): assert Stack.empty().size.append(1)
            """,
    )
    for options in ("", "-p xdist -n 1"):
        report, _footprint = observe(project, f"{PYTEST} tests {options}")
        names = {case.id: set(case.names) for case in report.failing}
        assert names[f"{A}::test_x"] == {"Stack", "peek"}
        assert names[f"{A}::test_y"] == {"Stack", "empty", "size"}
