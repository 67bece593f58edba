"""The id of each case selects this case and no other."""

from pathlib import Path

import pytest

from orchestrator.suites.pytest.node_ids import find_test_names
from orchestrator.suites.pytest.suite import PytestSuite
from tests.suites.projects import PYTEST, run_suite, wrap_command, write


@pytest.fixture
def varied(project: Path) -> Path:
    write(
        project,
        tests__test_params=r"""
            import pytest
            @pytest.mark.parametrize(
                "x", ["a::b", "c d", "[x]", "ü", "a/b.py", "n\nl", "", "1.5", "-x", "'q\"", "%s"]
            )
            def test_p(x): assert 0
            """,
        tests__base="class Base:\n    def test_inherited(self): assert 0\n",
        tests__deep__er__test_classes="""
            import sys, pathlib, unittest
            sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
            from base import Base
            class TestOuter(Base):
                def test_m(self): assert 0
                class TestInner:
                    def test_n(self): assert 0
            class lowercase(unittest.TestCase):
                def test_u(self): self.assertEqual(1, 2)
            """,
    )
    (project / "tests/v1.2").mkdir()
    (project / "tests/v1.2/test_dots.py").write_text("def test_d(): assert 0\n", encoding="utf-8")
    return project


def test_every_id_selects_its_case_again(varied: Path) -> None:
    ids = [case.id for case in run_suite(varied).cases]
    assert len(ids) == len(set(ids)) == 16
    assert "tests/test_params.py::test_p[a::b]" in ids
    assert "tests/deep/er/test_classes.py::TestOuter::TestInner::test_n" in ids
    assert "tests/deep/er/test_classes.py::TestOuter::test_inherited" in ids
    assert "tests/deep/er/test_classes.py::lowercase::test_u" in ids
    assert "tests/v1.2/test_dots.py::test_d" in ids
    suite = PytestSuite(f"{PYTEST} tests/ -v -k 'test'", 60)
    for some in (ids[:1], ids[1:2], ids[-2:], ids):
        assert [case.id for case in suite.run(varied, some).cases] == some


@pytest.mark.parametrize("quiet", ["", "-q", "-v --no-header"])
def test_rootdir_below(project: Path, quiet: str) -> None:
    write(project, sub__tests__test_a="def test_x(): assert 0\n")
    (project / "sub/pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = PytestSuite(f"{PYTEST} sub/tests {quiet}", 60)
    ids = [case.id for case in suite.run(project).cases]
    assert ids == ["sub/tests/test_a.py::test_x"]
    assert [case.id for case in suite.run(project, ids).cases] == ids


@pytest.mark.parametrize("quiet", ["", "-q"])
def test_rootdir_above(project: Path, quiet: str) -> None:
    write(project, sub__tests__test_a="def test_x(): assert 0\n")
    (project / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    suite = PytestSuite(f"{PYTEST} tests {quiet}", 60)
    ids = [case.id for case in suite.run(project / "sub").cases]
    assert ids == ["tests/test_a.py::test_x"]
    assert [case.id for case in suite.run(project / "sub", ids).cases] == ids


def test_a_wrapper_that_cannot_be_narrowed_runs_everything(project: Path) -> None:
    write(project, tests__test_a="def test_x(): assert 0\ndef test_y(): pass\n")
    report = PytestSuite(wrap_command("tests/"), 60).run(project, ["tests/test_a.py::test_x"])
    assert len(report.cases) == 2


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("tests/a.py::test_x[b::helper]", {"test_x"}),
        ("Fix a.py::T::test_x[c[d] e::f] and b.py::works[a/b::g]!", {"T", "test_x", "works"}),
        ("test_x[x::[y]] fails", {"test_x"}),
        ("a list [1, 2] for test_x, see helpers::run", {"test_x", "run"}),
    ],
)
def test_parameters_are_no_names(text: str, names: set[str]) -> None:
    assert find_test_names(text) == names
