import shlex
import sys
from pathlib import Path

import pytest

from orchestrator.models.footprint import Footprint, Module
from orchestrator.ports import Suite
from orchestrator.suites import create_suite
from orchestrator.suites.fake import ScriptedSuite, make_report
from tests.suites.conformance import SuiteConformance

PYTHON = shlex.quote(sys.executable)


class TestPytestSuite(SuiteConformance):
    @pytest.fixture
    def green(self, project: Path) -> Suite:
        (project / "test_sums.py").write_text(
            "def test_one():\n    pass\n\ndef test_two():\n    pass\n", encoding="utf-8"
        )
        return create_suite("pytest", f"{PYTHON} -m pytest -v", 60)

    @pytest.fixture
    def red(self, project: Path) -> Suite:
        (project / "test_sums.py").write_text(
            "def test_one():\n    assert 1 == 2\n\ndef test_two():\n    pass\n", encoding="utf-8"
        )
        return create_suite("pytest", f"{PYTHON} -m pytest -v", 60)


class TestCommandSuite(SuiteConformance):
    @pytest.fixture
    def green(self) -> Suite:
        return create_suite("command", "true", 60)

    @pytest.fixture
    def red(self) -> Suite:
        return create_suite("command", f"{PYTHON} -c 'raise SystemExit(\"not ok\")'", 60)


class TestScriptedSuite(SuiteConformance):
    @pytest.fixture
    def green(self) -> Suite:
        return ScriptedSuite(make_report(passed=["a", "b"]))

    @pytest.fixture
    def red(self) -> Suite:
        suite = ScriptedSuite(make_report(passed=["a"], failed=["b"]))
        suite.footprint = Footprint(tests=("/a.py",), modules=(Module("a", "/a.py"),))
        return suite
