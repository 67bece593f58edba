"""Obstacles that keep the suite from judging at all are found before any cost."""

import shlex
import sys
import sysconfig
from pathlib import Path

import pytest

from orchestrator.models import Case, CaseOutcome, SuiteOutcome, SuiteReport
from orchestrator.suites.fake import make_report
from orchestrator.suites.pytest.suite import PytestSuite
from orchestrator.verdict.suite_obstacle import Obstacle, find_obstacle

PYTHON = "/env/bin/python"
OURS = shlex.quote(sys.executable)


def uncollected(*modules: str) -> SuiteReport:
    cases = tuple(
        Case(
            f"tests/test_{module}.py",
            CaseOutcome.ERROR,
            message=f"collection failure: ModuleNotFoundError: No module named '{module}'",
            collecting=True,
        )
        for module in modules
    )
    return SuiteReport(SuiteOutcome.COLLECTION_ERROR, 1, cases, command="pytest")


def obstacle(report: SuiteReport, project: Path, task: str = "do it") -> Obstacle | None:
    return find_obstacle(report, project, PYTHON, task)


@pytest.mark.parametrize(
    "report",
    [make_report(passed=["a"]), make_report(passed=["a"], failed=["b"]), make_report(failed=["b"])],
)
def test_a_suite_with_cases_can_judge(report: SuiteReport, tmp_path: Path) -> None:
    assert obstacle(report, tmp_path) is None


def test_a_project_that_is_not_installed_is_named_with_the_command(tmp_path: Path) -> None:
    (tmp_path / "src" / "acme").mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'acme'\n", encoding="utf-8")
    found = obstacle(uncollected("acme"), tmp_path)
    assert found
    assert "the project itself cannot be imported in /env/bin/python" in found.message
    assert found.hint == "install the project: /env/bin/python -m pip install -e ."
    assert not found.configured


def test_a_project_that_cannot_be_installed_is_put_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "acme.py").touch()
    found = obstacle(uncollected("acme"), tmp_path)
    assert found
    assert found.hint == (
        "acme is in the project: put PYTHONPATH=lib before the command of the tests"
    )


def test_a_missing_module_is_named_with_the_interpreter(tmp_path: Path) -> None:
    found = obstacle(uncollected("yaml", "yaml"), tmp_path)
    assert found
    assert "the module yaml is not installed in /env/bin/python" in found.message
    # A distribution of that name may be anybody's.
    assert found.hint == (
        "install the package that provides yaml, where the tests run; if the task is to write "
        "yaml, name yaml.py in it"
    )
    (tmp_path / "requirements.txt").write_text("PyYAML\n", encoding="utf-8")
    found = obstacle(uncollected("yaml", "yaml"), tmp_path)
    assert found
    assert found.hint == (
        "install what the project declares: /env/bin/python -m pip install -r requirements.txt"
    )


def test_a_program_with_the_name_of_a_module_is_none(tmp_path: Path) -> None:
    (tmp_path / "yaml").touch()
    found = obstacle(uncollected("yaml"), tmp_path)
    assert found
    assert "the module yaml is not installed" in found.message


def test_a_module_that_the_task_asks_for_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "acme").mkdir()
    assert obstacle(uncollected("acme.tax"), tmp_path) is None
    assert obstacle(uncollected("tax"), tmp_path, "Write tax, with a function vat()") is None
    (tmp_path / "requirements.txt").write_text("flask\n", encoding="utf-8")
    assert obstacle(uncollected("flask"), tmp_path, "Write flask") is not None
    (tmp_path / "requirements.txt").write_text("PyYAML\n", encoding="utf-8")
    assert obstacle(uncollected("yaml"), tmp_path, "Write the module yaml") is not None
    (tmp_path / "requirements.txt").unlink()
    assert obstacle(uncollected("yaml"), tmp_path, "fix the yaml parser") is not None


def test_one_module_that_cannot_be_imported_beside_passing_cases_is_no_obstacle(
    tmp_path: Path,
) -> None:
    cases = (*uncollected("yaml").cases, *make_report(passed=["a"]).cases)
    assert obstacle(SuiteReport(SuiteOutcome.FAILED, 1, cases), tmp_path) is None


def test_a_plugin_that_is_not_installed_is_named(tmp_path: Path) -> None:
    output = "ERROR: usage: pytest\npytest: error: unrecognized arguments: --cov=acme"
    found = obstacle(SuiteReport(SuiteOutcome.USAGE_ERROR, 4, output=output), tmp_path)
    assert found
    assert "--cov=acme" in found.message
    assert found.configured
    assert f"`{PYTHON} -m pip install PLUGIN`" in found.hint


def test_a_plugin_does_not_go_into_this_programs_own_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(Path(PYTHON).parent))
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    output = "pytest: error: unrecognized arguments: --cov=acme"
    report = SuiteReport(SuiteOutcome.USAGE_ERROR, 4, output=output)
    found = obstacle(report, tmp_path)
    assert found
    new = "python3 -m venv .venv && .venv/bin/python -m pip install pytest PLUGIN"
    assert f"install the plugin that provides it: `{new}`, or" in found.hint
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "uv").write_text("#!/bin/sh\n", encoding="utf-8")
    (tmp_path / "bin" / "uv").chmod(0o755)
    (tmp_path / "uv.lock").touch()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    found = obstacle(report, tmp_path)
    assert found
    assert "`uv add --dev PLUGIN`" in found.hint


@pytest.mark.parametrize(
    "command",
    [
        f"{OURS} -I -m pytest",
        f"env -i {OURS} -m pytest",
        shlex.join(["sh", "-c", f"env -u ORCHESTRATOR_SUITE {OURS} -m pytest"]),
        shlex.join(["sh", "-c", f"{OURS} -E -m pytest"]),
    ],
)
def test_a_pytest_that_our_plugin_does_not_reach_is_told_what_to_let_through(
    command: str, tmp_path: Path
) -> None:
    (tmp_path / "test_a.py").write_text("def test_x(): pass\n", encoding="utf-8")
    found = obstacle(PytestSuite(command, 60).run(tmp_path), tmp_path)
    assert found
    assert found.configured
    assert command in found.message
    assert "pip install" not in found.text
    for word in ("PYTEST_ADDOPTS", "PYTHONPATH", "ORCHESTRATOR_SUITE", "pass_env", "-I", "command"):
        assert word in found.hint


def test_a_command_that_fails_before_pytest_is_no_plugins_fault(tmp_path: Path) -> None:
    found = obstacle(PytestSuite("sh -c 'echo no rule; exit 2'", 60).run(tmp_path), tmp_path)
    assert found
    assert "no rule" in found.message
    assert "plugin" not in found.text


@pytest.mark.parametrize(
    "outcome", [SuiteOutcome.NOT_FOUND, SuiteOutcome.NO_TESTS, SuiteOutcome.CRASHED]
)
def test_a_command_without_cases_shows_its_last_lines(
    outcome: SuiteOutcome, tmp_path: Path
) -> None:
    output = "make: *** No rule to make target 'tset'.  Stop.\n"
    found = obstacle(SuiteReport(outcome, 2, output=output), tmp_path)
    assert found
    assert "No rule to make target 'tset'" in found.message
    assert found.hint


def test_a_threshold_that_fails_beside_green_cases_is_an_obstacle_unless_asked_for(
    tmp_path: Path,
) -> None:
    output = "ERROR: Coverage failure: total of 44 is less than fail-under=95\n"
    cases = make_report(passed=["a"]).cases
    report = SuiteReport(SuiteOutcome.FAILED, 1, cases, output=output, command="pytest --cov")
    found = obstacle(report, tmp_path)
    assert found
    assert "Coverage failure: total of 44 is less than fail-under=95" in found.message
    assert obstacle(report, tmp_path, "Raise the coverage to 95 %") is None
