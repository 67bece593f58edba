"""Missing modules are read from error messages."""

import sys
from pathlib import Path

import pytest

from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.platform.process import run
from orchestrator.verdict.advice import find_advice
from orchestrator.verdict.missing_dependency import find_missing_dependency
from orchestrator.verdict.missing_modules import find_missing_modules
from orchestrator.verdict.relation import Relation
from orchestrator.verdict.suite_obstacle import find_obstacle


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("ModuleNotFoundError: No module named 'shop'", ["shop"]),
        ("E   ModuleNotFoundError: No module named 'shop.prices'\n", ["shop.prices"]),
        ('No module named "shop"', ["shop"]),
        ("/usr/bin/python: No module named pytest\n", ["pytest"]),
        ("/usr/bin/python: No module named pytest\x1b[0m", ["pytest"]),
        ("ImportError: No module named shop.", ["shop"]),
        ("No module named shop.__main__; 'shop' is a package and cannot be", ["shop.__main__"]),
        ("(ModuleNotFoundError: No module named 'a') No module named 'b.c', 'a'", ["a", "b.c"]),
        ("No module named 'a'\nNo module named 'a'\n", ["a"]),
        ("No module named so far", []),
        ("No module named 'my shop'", []),
        ("no module named shop", []),
        ("", []),
    ],
)
def test_the_names_in_a_text(text: str, names: list[str]) -> None:
    assert find_missing_modules(text) == names


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["-m", "no_such_tool"], "no_such_tool"),
        (["-m", "no_such_package.tool"], "no_such_package"),
        (["-m", "json.nothing"], "json.nothing"),
        (["-m", "xml"], "xml.__main__"),
        (["-c", "import no_such_package.part"], "no_such_package"),
        (["-c", "import xml.no_such_part"], "xml.no_such_part"),
    ],
)
def test_pythons_own_words_are_read(arguments: list[str], name: str, tmp_path: Path) -> None:
    done = run([sys.executable, *arguments], cwd=tmp_path)
    assert find_missing_modules(done.text) == [name]


class TestEachUser:
    def case(self, message: str) -> Case:
        return Case("tests/test_a.py::test_a", CaseOutcome.ERROR, message=message)

    def test_the_baseline_reads_what_python_itself_says(self, tmp_path: Path) -> None:
        output = "/usr/bin/python3: No module named pytest\n"
        report = SuiteReport(SuiteOutcome.NO_TESTS, 1, output=output, command="python -m pytest")
        obstacle = find_obstacle(report, tmp_path, "/usr/bin/python3", "mend it")
        assert obstacle is not None
        assert "the module pytest is not installed" in obstacle.message

    def test_a_part_of_a_package_is_no_dependency(self, tmp_path: Path) -> None:
        (tmp_path / "requirements.txt").write_text("yaml\n", encoding="utf-8")
        whole, part = (self.case(f"No module named '{name}'") for name in ("yaml", "yaml.extra"))
        assert find_missing_dependency([whole], tmp_path) == "yaml"
        assert find_missing_dependency([part], tmp_path) == ""
        both = self.case("No module named 'yaml.extra'\n\nNo module named 'yaml'")
        assert find_missing_dependency([both, whole], tmp_path) == "yaml"

    def test_advice_names_the_module_whole(self, tmp_path: Path) -> None:
        report = SuiteReport(SuiteOutcome.FAILED, 1)
        advice = find_advice(report, [self.case("No module named 'yaml.extra'")], tmp_path)
        assert advice.message == "the module yaml.extra is no longer installed"

    def test_a_case_is_asked_for_by_the_module_that_it_misses(self, tmp_path: Path) -> None:
        case = self.case("ModuleNotFoundError: No module named 'shop.price_list'")
        case = Case(case.id, case.outcome, message=case.message, file="tests/test_a.py")
        for task in ("write shop/price_list.py", "add price_list", "write shop.price_list"):
            assert Relation(task, tmp_path, ()).is_asked_for(case)
        assert not Relation("mend the till", tmp_path, ()).is_asked_for(case)
