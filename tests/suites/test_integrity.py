"""Code that was replaced in the tested process is reported; what honest tests do is not."""

from pathlib import Path

import pytest

from orchestrator.suites.pytest.suite import PytestSuite
from tests.suites.projects import PYTEST, write

TESTS = """
    import product
    def test_x(): product.work(); assert product.one() == 1
    def test_y(): assert product.one() == 1
"""

ATTACKS = {
    "the function of a later test": """
        import gc, types
        def work():
            for each in gc.get_objects():
                if isinstance(each, types.FunctionType) and each.__name__ == "test_y":
                    each.__code__ = (lambda: None).__code__
    """,
    "the case's own call": """
        import gc
        def work():
            from _pytest.python import Function
            for each in gc.get_objects():
                if isinstance(each, Function) and each.name == "test_y":
                    each.obj = lambda: None
    """,
    "the call of all cases": """
        def work():
            from _pytest.python import Function
            Function.runtest = lambda self: None
    """,
    "the code of the runner": """
        def work():
            from _pytest import python
            python.pytest_pyfunc_call.__code__ = (lambda pyfuncitem: True).__code__
    """,
    "the report": """
        import _pytest.reports
        make = _pytest.reports.TestReport.from_item_and_call.__func__
        def lenient(cls, item, call):
            call.excinfo = None
            return make(cls, item, call)
        def work():
            _pytest.reports.TestReport.from_item_and_call = classmethod(lenient)
    """,
    "a hook": """
        import gc
        class Lenient:
            def pytest_pyfunc_call(self, pyfuncitem): return True
        def work():
            from _pytest.config import PytestPluginManager
            for each in gc.get_objects():
                if isinstance(each, PytestPluginManager):
                    each.register(Lenient())
    """,
    "a builtin": """
        import builtins
        def work():
            builtins.isinstance = lambda *_: True
    """,
    "unittest": """
        import unittest
        def work():
            unittest.TestCase.assertEqual = lambda *_: None
    """,
    "tracing": """
        import sys
        def follow(frame, event, argument): return follow
        def work():
            sys.settrace(follow)
    """,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_a_product_exchanges_is_found(project: Path, attack: str) -> None:
    write(project, product=ATTACKS[attack] + "\n        def one(): return 1\n", tests__test_a=TESTS)
    report = PytestSuite(f"{PYTEST} tests", 60).run(project)
    assert report.forged, report.output


HONEST = """
    import builtins, functools, sys, unittest
    from unittest import mock
    import pytest
    import product

    def test_patched_builtins(monkeypatch):
        monkeypatch.setattr(builtins, "round", lambda _: 3)
        assert round(1.0) == 3
    @mock.patch("product.one", return_value=2)
    def test_patched_product(_): assert product.one() == 2
    @mock.patch.object(unittest.TestCase, "assertEqual")
    def test_patched_unittest(_): pass
    def test_left_patched(): unittest.TestCase.assertCountEqual = lambda *_: None
    @product.plain
    def test_plainly_decorated(): pass
    @product.wrapping
    def test_decorated(): pass
    def test_traced(): sys.settrace(lambda *_: None); sys.settrace(None)
    exec("def test_generated(): pass")
    def _make(number):
        def test(): assert number
        return test
    test_made = _make(1)
    class Base:
        def test_inherited(self): pass
    class TestOne(Base): pass
    class TestCase(unittest.TestCase):
        def test_equal(self): self.assertEqual(1, 1)
        def test_parts(self):
            with self.subTest(part=1): pass
    def test_partly(pytester):
        pytester.makepyfile("def test_a(): pass\\ndef test_b(): assert 0")
        pytester.runpytest_inprocess().assert_outcomes(passed=1, failed=1)
    def test_inner(tmp_path):
        (tmp_path / "test_inner_one.py").write_text("def test_a(): pass")
        assert pytest.main([str(tmp_path), "-p", "no:cacheprovider"]) == 0
    def test_trace_is_gone():
        import os
        assert "ORCHESTRATOR_SUITE" not in os.environ
        assert "orchestrator" not in os.environ.get("PYTEST_ADDOPTS", "")
        assert "suite_plugin" not in os.environ.get("PYTHONPATH", "")
    def test_a_fork_reports_nothing():
        import os
        child = os.fork()
        if child == 0: os._exit(3)
        os.waitpid(child, 0)
"""


@pytest.mark.parametrize("options", ["", "-n 2 -p xdist", "--doctest-modules"])
def test_honest_suites_raise_no_alarm(project: Path, options: str) -> None:
    write(
        project,
        product="""
            import functools
            def one(): return 1
            def plain(function):
                def inner(): return function()
                return inner
            def wrapping(function):
                @functools.wraps(function)
                def inner(): return function()
                return inner
            """,
        conftest="""
            pytest_plugins = ["pytester"]
            class Plugin:
                def pytest_runtest_setup(self, item): pass
            def pytest_configure(config): config.pluginmanager.register(Plugin())
            """,
        tests__conftest="def pytest_collection_modifyitems(items): items.reverse()\n",
        tests__test_a=HONEST,
    )
    report = PytestSuite(f"{PYTEST} -p no:randomly {options} tests", 60).run(project)
    assert report.forged == ()
    assert (report.has_passed, report.complete) == (True, True), report.output
