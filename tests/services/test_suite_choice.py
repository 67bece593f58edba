"""The suite of a project without tests.command: real pytest runs find out what works."""

import os
import shlex
import sys
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.config import LoadedConfig, Override, load_config
from orchestrator.errors import ConfigError, UsageError
from orchestrator.events import Event, Notice
from orchestrator.services.suite_choice import build_test_overrides, choose_suite, collect_cases
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
    project: Path, files: Mapping[str, str], *overrides: Override
) -> tuple[LoadedConfig, list[str]]:
    write_files(project, files)
    notices: list[str] = []

    def listen(event: Event) -> None:
        assert isinstance(event, Notice)
        notices.append(event.text)

    loaded = load_config(project, None, overrides, {})
    return choose_suite(loaded, project, os.environ, listen), notices


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
    loaded, notices = choose(project, {}, *build_test_overrides("make check"))
    assert (loaded.config.tests.command, loaded.config.tests.framework) == ("make check", "command")
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
         "no module requests_that_is_not_there in its environment; candidates: `pytest tests/ -v"
         " --tb=short`, `tox`"),
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
    with pytest.raises(ConfigError, match=r"pip install pytest"):
        choose(project, {})
    (site,) = (project / ".venv").glob("lib/python*/site-packages")
    ours = Path(pytest.__file__).parents[1]
    (site / "installed.pth").write_text(f"{ours}\n{project / 'src'}\n", encoding="utf-8")
    (site / "pytest").symlink_to(ours / "pytest")  # as an installer leaves it
    loaded, (notice,) = choose(project, {})
    assert loaded.config.tests.command == "python -m pytest tests/ -v --tb=short"
    assert "(.venv/bin/python; 1 test file in tests/; 1 case)" in notice


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
    assert build_test_overrides(command)[1].value == framework


@pytest.mark.parametrize("command", ["", "  ", "pytest | tee x", "pytest 'x"])
def test_a_command_that_cannot_be_used_is_refused_at_once(command: str) -> None:
    with pytest.raises(UsageError):
        build_test_overrides(command)
