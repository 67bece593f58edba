"""The suite of a project without tests.command: real pytest runs find out what works."""

import os
import shlex
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.config import LoadedConfig, Override, load_config
from orchestrator.config.setting_hints import complete_hint
from orchestrator.errors import ConfigError, InfrastructureError, LoopError, UsageError
from orchestrator.events import Event, Notice, StepStarted
from orchestrator.models import SuiteOutcome
from orchestrator.services import suite_trial
from orchestrator.services.suite_choice import build_test_overrides, choose_suite
from orchestrator.services.suite_trial import collect_cases
from orchestrator.suites.detection import infer_framework
from tests.suites.detection.conftest import TEST, write_files

SHOP = "def price():\n    return 1\n"
TEST_SHOP = "from shop import price\n\n\ndef test_price():\n    assert price() == 1\n"


@pytest.fixture(autouse=True)
def _python_with_pytest(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The programs of this interpreter and no others; no environment of the caller."""
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "VIRTUAL_ENV", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "bin").mkdir()
    folders = (str(tmp_path / "bin"), str(Path(sys.executable).parent), "/usr/bin", "/bin")
    monkeypatch.setenv("PATH", os.pathsep.join(folders))


def add_program(tmp_path: Path, name: str) -> None:
    program = tmp_path / "bin" / name
    program.write_text("#!/bin/sh\nexit 9\n", encoding="utf-8")
    program.chmod(0o755)


def choose(
    project: Path, files: Mapping[str, str], *overrides: Override, task: str = ""
) -> tuple[LoadedConfig, list[str]]:
    write_files(project, files)
    notices: list[str] = []

    def listen(event: Event) -> None:
        if isinstance(event, Notice):
            notices.append(event.text)
        else:
            assert event == StepStarted("collecting the tests")
            assert not notices

    loaded = load_config(project, None, overrides, {})
    return choose_suite(loaded, project, os.environ, listen, task), notices


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"shop.py": SHOP, "tests/test_a.py": TEST_SHOP}, "PYTHONPATH=. pytest tests/"),
        ({"shop.py": SHOP, "tests/test_a.py": TEST_SHOP, "conftest.py": ""}, "pytest tests/"),
        ({"src/shop/__init__.py": SHOP, "tests/test_a.py": TEST_SHOP}, "PYTHONPATH=src pytest t"),
        (
            {
                "src/shop/__init__.py": SHOP,
                "tests/test_a.py": TEST_SHOP,
                "pyproject.toml": "[tool.pytest.ini_options]\npythonpath = ['src']\n",
            },
            "pytest tests/",
        ),
        ({"lib/shop.py": SHOP, "test/test_a.py": TEST_SHOP}, "PYTHONPATH=lib pytest -v"),
        ({"shop/test_a.py": TEST}, "pytest -v"),
        (
            {"tests/test_a.py": "import unittest\nclass T(unittest.TestCase):\n"
             "    def test_it(self): pass\n"},
            "pytest tests/",
        ),
    ],
)  # fmt: skip
def test_the_command_that_collects_is_chosen(
    project: Path, files: dict[str, str], command: str
) -> None:
    loaded, notices = choose(project, files)
    assert loaded.config.tests.command.startswith(command)
    assert loaded.config.tests.framework == "pytest"
    assert loaded.find_origin("tests.command") == "detected"
    (notice,) = notices
    assert "\n" not in notice
    assert f"`{loaded.config.tests.command}`" in notice
    assert "1 case" in notice
    assert "python" in notice
    found = collect_cases(loaded.config.tests.command, project, os.environ)
    assert (found.count, found.is_clean) == (1, True)
    assert Path(found.interpreter).name.startswith("python")
    assert not list(project.rglob(".pytest_cache"))


def test_a_configured_command_is_used_as_it_is(project: Path) -> None:
    loaded, notices = choose(project, {"orchestrator.yaml": "tests:\n  command: pytest nowhere\n"})
    assert (loaded.config.tests.command, notices) == ("pytest nowhere", [])
    overrides = build_test_overrides("sh check", project, os.environ)
    loaded, notices = choose(project, {}, *overrides)
    assert (loaded.config.tests.command, loaded.config.tests.framework) == ("sh check", "command")
    assert notices == []


def test_a_file_without_the_command_is_completed(project: Path) -> None:
    text = "tests:\n  timeout: 30\n"
    loaded, _ = choose(project, {"orchestrator.yaml": text, "tests/test_a.py": TEST})
    assert loaded.config.tests.command == "pytest tests/ -v --tb=short"
    assert loaded.config.tests.timeout == 30


def test_code_that_is_broken_or_missing_is_the_tasks_business(project: Path) -> None:
    """A task may be to repair it, or to write it for tests that are there already."""
    loaded, (notice,) = choose(project, {"tests/test_a.py": TEST_SHOP})
    assert loaded.config.tests.command == "pytest tests/ -v --tb=short"
    assert "1 file cannot be collected: ModuleNotFoundError: No module named 'shop'" in notice
    _, (notice,) = choose(project, {"conftest.py": "", "shop.py": "def price(:\n"})
    assert "SyntaxError" in notice


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no tests were found"),
        ({"package.json": '{"scripts": {"test": "jest"}}'}, '--tests "npm test"'),
        ({"Makefile": "test:\n\ttrue\n"}, "`make test` runs what the repository says"),
        ({"tests/test_a.py": "import requests_that_is_not_there\n", "tox.ini": "[tox]\n"},
         "no module requests_that_is_not_there in its environment; candidates: `tox` (choose with"
         " `orchestrator init`, or name it: --tests \"tox\")"),
        ({"tests/test_a.py": TEST, "pytest.ini": "[pytest]\naddopts = --not-an-option\n"},
         "unrecognized arguments: --not-an-option"),
        ({"tests/test_a.py": "x = 1\n"}, "pytest collects no test"),
        ({"a/setup.py": "", "a/tests/test_a.py": TEST}, "work on one of them: cd a"),
    ],
)  # fmt: skip
def test_what_is_not_clear_is_one_clear_error(
    project: Path, tmp_path: Path, files: dict[str, str], says: str
) -> None:
    for name in ("npm", "make", "tox"):
        add_program(tmp_path, name)
    with pytest.raises(ConfigError) as error:
        choose(project, files)
    text = str(error.value)
    assert says in text
    assert text.startswith("no tests.command is configured")
    assert "\n" not in text
    assert "--tests" in text or "--project-dir" in text
    assert error.value.exit_code == 2


def test_a_real_environment_of_the_project_runs_its_tests(project: Path) -> None:
    venv.create(project / ".venv", with_pip=False, symlinks=True)
    write_files(project, {"src/shop/__init__.py": SHOP, "tests/test_a.py": TEST_SHOP})
    with pytest.raises(ConfigError, match=r"uv pip install --python .venv/bin/python pytest"):
        choose(project, {})
    (site,) = (project / ".venv").glob("lib/python*/site-packages")
    ours = Path(pytest.__file__).parents[1]
    (site / "installed.pth").write_text(f"{ours}\n{project / 'src'}\n", encoding="utf-8")
    (site / "pytest").symlink_to(ours / "pytest")  # as an installer leaves it
    loaded, (notice,) = choose(project, {})
    assert loaded.config.tests.command == "python -m pytest tests/ -v --tb=short"
    assert "(.venv/bin/python; 1 test file in tests/; 1 case)" in notice


@pytest.mark.parametrize("line", ["{}", "import sys; sys.path.append({!r})"])
def test_pytest_that_a_path_file_makes_importable_is_used(project: Path, line: str) -> None:
    venv.create(project / ".venv", with_pip=False, symlinks=True)
    (site,) = (project / ".venv").glob("lib/python*/site-packages")
    text = line.format(str(Path(pytest.__file__).parents[1]))
    (site / "shared.pth").write_text(f"{text}\n", encoding="utf-8")
    loaded, (notice,) = choose(project, {"tests/test_a.py": TEST})
    assert loaded.config.tests.command == "python -m pytest tests/ -v --tb=short"
    assert "(.venv/bin/python; 1 test file in tests/; 1 case)" in notice


def test_pytest_of_the_packages_that_an_environment_shares_is_used(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after `python -m venv --system-site-packages`: also what the user has installed."""
    venv.create(project / ".venv", system_site_packages=True, symlinks=True)
    site = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
    folder = str(Path(pytest.__file__).parents[1])
    write_files(tmp_path / "user", {f"{site}/shared.pth": f"{folder}\n"})
    monkeypatch.setenv("PYTHONUSERBASE", str(tmp_path / "user"))
    monkeypatch.delenv("PYTHONNOUSERSITE", raising=False)
    loaded, (notice,) = choose(project, {"tests/test_a.py": TEST})
    assert loaded.config.tests.command == "python -m pytest tests/ -v --tb=short"
    assert "not installed" not in notice


def test_collecting_that_is_too_slow_counts_no_cases(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_trial, "COLLECTING_SECONDS", 1.0)
    _, (notice,) = choose(project, {"tests/test_a.py": f"import time\ntime.sleep(60)\n{TEST}"})
    assert "its cases were not counted: collecting takes longer than 1 s" in notice
    assert "0 cases" not in notice


def test_collecting_is_announced(project: Path) -> None:
    write_files(project, {"tests/test_a.py": TEST})
    heard: list[Event] = []
    choose_suite(load_config(project, None, (), {}), project, os.environ, heard.append, "")
    assert [type(each) for each in heard] == [StepStarted, Notice]


def test_what_else_is_not_clear_stays_so_though_pytest_is_there(
    project: Path, tmp_path: Path
) -> None:
    add_program(tmp_path, "npm")
    venv.create(project / ".venv", with_pip=False, symlinks=True)
    (site,) = (project / ".venv").glob("lib/python*/site-packages")
    line = f"import sys; sys.path.append({str(Path(pytest.__file__).parents[1])!r})\n"
    (site / "shared.pth").write_text(line, encoding="utf-8")
    files = {"package.json": '{"scripts": {"test": "jest"}}', "tests/test_a.py": TEST}
    with pytest.raises(ConfigError, match="is there too") as error:
        choose(project, files)
    assert "not installed" not in str(error.value)


def test_a_declared_module_that_is_not_installed_stops_a_run_before_it_costs(
    project: Path,
) -> None:
    """Also if other tests could run: the agent could not repair it."""
    files = {"requirements.txt": "no-such-module\n", "tests/test_b.py": TEST,
             "tests/test_a.py": f"import no_such_module\n{TEST}"}  # fmt: skip
    with pytest.raises(ConfigError) as error:
        choose(project, files, task="Mend the routes of no_such_module.")
    assert "cannot be used: no module no_such_module in its environment" in error.value.message
    assert error.value.command.endswith("-m pip install -r requirements.txt")
    assert error.value.command in error.value.hint
    assert error.value.hint.endswith(
        'start with the tests that can be collected: --tests "pytest tests/ -v --tb=short"'
    )
    (project / "tests/test_b.py").rename(project / "tests/b.py")
    with pytest.raises(ConfigError, match='name another command: --tests "COMMAND"'):
        choose(project, {})
    (project / "tests/test_a.py").write_text(f"import prices\n{TEST}", encoding="utf-8")
    loaded, _ = choose(project, {}, task="Write prices.py")
    assert loaded.config.tests.command == "pytest tests/ -v --tb=short"
    with pytest.raises(ConfigError, match=r"no module prices .* name prices\.py in it"):
        choose(project, {}, task="Make the tests pass")


def test_a_borrowed_pytest_is_said_and_runs_no_tests_with_packages(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    _, (notice,) = choose(project, {"tests/test_b.py": TEST})
    assert "orchestrator's own, as the project has no pytest" in notice
    with pytest.raises(ConfigError, match="make an environment for the project: python3 -m venv"):
        choose(project, {"tests/test_a.py": f"import no_such_module\n{TEST}"})


def test_the_folder_of_the_code_is_used_though_another_module_is_missing(project: Path) -> None:
    files = {
        "src/shop/__init__.py": SHOP,
        "tests/test_a.py": f"import shop, no_such_module\n{TEST}",
    }
    loaded, (notice,) = choose(project, files)
    assert loaded.config.tests.command == "PYTHONPATH=src pytest tests/ -v --tb=short"
    assert "No module named 'no_such_module'" in notice


def test_a_broken_environment_is_the_cause(project: Path) -> None:
    venv.create(project / ".venv", symlinks=True)
    write_files(project, {"tests/test_a.py": TEST, ".venv/bin/pytest": "#!/opt/gone/python\n"})
    (project / ".venv/bin/pytest").chmod(0o755)
    (project / ".venv/bin/python").unlink()
    (project / ".venv/bin/python").symlink_to("/opt/gone/python")
    with pytest.raises(ConfigError, match=r"\.venv is broken: .*/opt/gone/python") as error:
        choose(project, {})
    assert error.value.command.startswith("rm -r .venv && ")


def test_a_pytest_that_does_not_start_has_a_cause(project: Path) -> None:
    """Its output is empty."""
    write_files(project, {"tests/test_a.py": TEST, "bin/pytest": "#!/opt/gone/python\n"})
    (project / "bin/pytest").chmod(0o755)
    found = collect_cases(str(project / "bin/pytest"), project, os.environ)
    assert found.outcome is SuiteOutcome.NOT_FOUND
    assert found.describe_problem().endswith("its interpreter (first line) was not found")


@pytest.mark.parametrize(
    ("command", "framework"),
    [
        ("pytest", "pytest"),
        ("python3 -m pytest -q", "pytest"),
        (f"{shlex.quote(sys.executable)} -m pytest", "pytest"),
        ("PYTHONPATH=src pytest", "pytest"),
        ("uv run pytest", "pytest"),
        ("cd backend && pytest", "pytest"),
        (".venv/bin/pytest tests", "pytest"),
        ("make test", "command"),
        ("npm test", "command"),
        ("tox -e pytest", "command"),
        ("echo pytest", "command"),
    ],
)
def test_the_framework_of_a_command(command: str, framework: str) -> None:
    assert infer_framework(command) == framework


@pytest.mark.parametrize("command", ["", "  ", "pytest | tee x", "pytest 'x"])
def test_a_command_that_cannot_be_used_is_refused_at_once(command: str, project: Path) -> None:
    with pytest.raises(UsageError) as error:
        build_test_overrides(command, project, os.environ)
    check_names_the_option(error.value)
    assert ("remove the pipe" in error.value.hint) == ("|" in command)


def test_a_program_of_the_command_line_that_is_not_found(project: Path) -> None:
    with pytest.raises(InfrastructureError) as error:
        build_test_overrides("X=1 no-such-program", project, os.environ)
    assert "no-such-program of --tests is not found" in error.value.message
    check_names_the_option(error.value)


def check_names_the_option(error: LoopError) -> None:
    """The value came from the command line, so no advice is about a file."""
    assert "tests.command" not in str(error)
    assert "--tests" in error.message
    assert complete_hint(error.hint) == error.hint
