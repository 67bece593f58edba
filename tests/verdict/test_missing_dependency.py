"""A module that the project declares and nobody installed, and names that only look like one."""

from pathlib import Path

import pytest

from orchestrator.models import Case, CaseOutcome, FileChange, SuiteOutcome, SuiteReport
from orchestrator.verdict.advice import find_advice
from orchestrator.verdict.missing_dependency import find_missing_dependency


def missing(module: str) -> list[Case]:
    message = f"ModuleNotFoundError: No module named '{module}'"
    return [Case("tests/test_a.py::test_a", CaseOutcome.ERROR, message=message)]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("requirements.txt", "# needed\nbabel-money>=1.0\n"),
        ("requirements/dev.txt", "babel_money\n"),
        ("pyproject.toml", '[project]\nname = "shop"\ndependencies = ["babel-money (>=1)"]\n'),
        ("pyproject.toml", '[dependency-groups]\ndev = ["babel_money"]\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\nbabel-money = "^1.0"\n'),
        ("setup.cfg", "[options]\ninstall_requires =\n    babel-money\n"),
    ],
)
def test_what_a_list_of_dependencies_names_is_declared(
    file: str, text: str, tmp_path: Path
) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text(text, encoding="utf-8")
    assert find_missing_dependency(missing("babel_money"), tmp_path) == "babel_money"
    assert find_missing_dependency(missing("made_up"), tmp_path) == ""


def test_the_projects_own_package_is_never_advised(tmp_path: Path) -> None:
    text = '[project]\nname = "shop"\nversion = "1"\ndependencies = ["shop"]\n'
    (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
    moved = [FileChange("shop/__init__.py", "D", 0, 1), FileChange("src/a/b.py", "A", 1, 0)]
    assert find_missing_dependency(missing("shop"), tmp_path, moved) == ""
    (tmp_path / "src" / "shop").mkdir(parents=True)
    assert find_missing_dependency(missing("shop"), tmp_path) == ""
    assert find_missing_dependency(missing("name"), tmp_path) == ""


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("OSError: [Errno 28] No space left on device", "no space on a disk"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'no-such-tool'", "no-such-tool"),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "network"),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "does not answer"),
        ("KeyError: 'ACME_API_TOKEN'", "environment variable"),
        ("ssl.SSLError: CERTIFICATE_VERIFY_FAILED", "certificate"),
        ("quite something else", "something outside of the code"),
    ],
)
def test_words_choose_the_message_once_the_environment_is_to_blame(
    said: str, expected: str, tmp_path: Path
) -> None:
    case = Case("a", CaseOutcome.FAILED, message=said)
    advice = find_advice(SuiteReport(SuiteOutcome.FAILED, 1, (case,)), [case], tmp_path)
    assert expected in advice.message
    assert advice.hint
