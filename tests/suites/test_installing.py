"""The command that installs a package works in the environment that it names."""

import os
import shlex
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchestrator.suites.installing import (
    advise_install,
    find_broken_environment,
    is_borrowed_interpreter,
)

PYTHON = "/env/bin/python"
PIP = f"{PYTHON} -m pip install"
NEW = "python3 -m venv .venv && .venv/bin/python -m pip install pytest"
BUILD = "[project]\nname = 'shop'\n[build-system]\nrequires = ['hatchling']\n"
FLAT = "[project]\nname = 'shop'\ndependencies = ['flask>=2', 'rich ; python_version > \"3\"']\n"
POETRY = "[tool.poetry]\nname = 'shop'\n[tool.poetry.dependencies]\npython = '^3.9'\n"
UV = "[project]\nname = 'shop'\ndependencies = ['flask']\n[tool.uv]\n"


@pytest.fixture
def without_pip(tmp_path: Path) -> Path:
    """An environment without pip, as uv makes it."""
    venv.create(tmp_path / "env", symlinks=True)
    return tmp_path / "env"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of a user without any tool."""
    (tmp_path / "bin").mkdir()
    return {"PATH": str(tmp_path / "bin")}


@pytest.fixture
def borrowed(without_pip: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The interpreter of this program's own environment, which the user has not active."""
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: os.fspath(without_pip / "bin"))
    return f"{without_pip}/bin/python"


def write(project: Path, files: Mapping[str, str]) -> None:
    for name, text in files.items():
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text(text, encoding="utf-8")


def add_program(environment: Mapping[str, str], name: str) -> None:
    program = Path(environment["PATH"]) / name
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)


@pytest.mark.parametrize(
    ("files", "modules", "hint"),
    [
        ({}, ["yaml"], "install the package that provides yaml, where the tests run"),
        ({}, ["pytest"], f"install pytest: {PIP} pytest"),
        (
            {"requirements.txt": "PyYAML\n", "requirements-dev.txt": "pytest\n"},
            ["yaml"],
            f"install what the project declares: {PIP} -r requirements-dev.txt -r requirements.txt",
        ),
        (
            {"pyproject.toml": BUILD, "shop/__init__.py": ""},
            ["shop"],
            f"install the project: {PIP} -e .",
        ),
        (
            {"pyproject.toml": "[project]\nname = 'shop'\n", "src/shop/__init__.py": ""},
            ["shop", "yaml"],
            f"install the project: {PIP} -e .; install the package that provides yaml, where the "
            "tests run",
        ),
        (
            {"pyproject.toml": f"{BUILD}[project.optional-dependencies]\ntest = ['pytest']\n"},
            ["pytest"],
            f"install pytest: {PIP} pytest",
        ),
        (
            {"pyproject.toml": FLAT, "core/__init__.py": "", "plugins/__init__.py": ""},
            ["flask"],
            f"install what the project declares: {PIP} 'flask>=2' rich",
        ),
        (
            {"pyproject.toml": FLAT, "core/__init__.py": "", "plugins/__init__.py": ""},
            ["core"],
            "core is in the project: put PYTHONPATH=. before the command of the tests",
        ),
        (
            {
                "setup.cfg": "[options]\ninstall_requires =\n  flask\n  --index-url=x\n  a @ http://b"
            },
            ["flask"],
            f"install what the project declares: {PIP} flask 'a @ http://b'",
        ),
        (
            {"pyproject.toml": f"{BUILD}dependencies = 1\n[dependency-groups]\ndev = ['rich', 1]"},
            ["rich"],
            f"install what the project declares: {PIP} -e . rich",
        ),
    ],
)
def test_what_is_installed(
    files: Mapping[str, str],
    modules: list[str],
    hint: str,
    project: Path,
    environment: dict[str, str],
) -> None:
    write(project, files)
    assert advise_install(project, PYTHON, modules, environment).hint == hint


SETUP = "from setuptools import setup\nsetup(name='shop', install_requires=['requests'])\n"
DYNAMIC = f"{BUILD}[tool.x]\n".replace("[build", "dynamic = ['dependencies']\n[build")
BARE_POETRY = f"{POETRY}requests = '>=2,<3'\nrich = '^13'\nx = {{git = 'https://h/x'}}\n"
PIPFILE = "[packages]\nrequests = '*'\n[dev-packages]\npytest = '==8.0'\n"
UNKNOWN = "install the package that provides {0}, where the tests run"
STILL = "if {0} is still missing then, install the package that provides it"


@pytest.mark.parametrize(
    ("files", "module", "command", "rest"),
    [
        ({"requirements/base.txt": "requests"}, "requests", "-r requirements/base.txt", ""),
        ({"requirements_all.txt": "requests"}, "requests", "-r requirements_all.txt", ""),
        ({"requirements-web.txt": "requests"}, "requests", "-r requirements-web.txt", ""),
        ({"requirements-web.txt": "PyYAML"}, "yaml", "-r requirements-web.txt", ""),
        ({"requirements-docs.txt": "sphinx"}, "requests", "", UNKNOWN),
        (
            {"requirements.txt": "-r requirements-web.txt", "requirements-web.txt": "flask"},
            "yaml",
            "-r requirements.txt",
            UNKNOWN,
        ),
        ({"requirements.txt": "-r ../all.txt"}, "requests", "-r requirements.txt", STILL),
        ({"requirements.txt": "git+https://h/x"}, "x", "-r requirements.txt", STILL),
        (
            {"pyproject.toml": "[project]\ndependencies = ['x @ git+https://h/x ; a']"},
            "x",
            "'x @ git+https://h/x'",
            "",
        ),
        ({"pyproject.toml": BARE_POETRY}, "requests", "'requests>=2,<3' rich", ""),
        ({"pyproject.toml": f"{POETRY}x = {{path = 'x'}}\n"}, "x", "", UNKNOWN),
        (
            {"pyproject.toml": POETRY.replace("\nname", "\npackage-mode = false\nname")
             + "rich = '*'\n[build-system]\n"},
            "rich",
            "rich",
            "",
        ),
        ({"setup.py": SETUP}, "requests", "-e .", STILL),
        ({"pyproject.toml": DYNAMIC}, "requests", "-e .", STILL),
        ({"pyproject.toml": "[project]\ndynamic = ['dependencies']"}, "requests", "", UNKNOWN),
        ({"Pipfile": PIPFILE}, "requests", "requests pytest==8.0", ""),
        ({"pyproject.toml": FLAT}, "numpy", "'flask>=2' rich", UNKNOWN),
        (
            {"pyproject.toml": FLAT.replace("[project]", "[build-system]\n[project]")},
            "numpy",
            "-e .",
            UNKNOWN,
        ),
    ],
)  # fmt: skip
def test_what_is_declared_is_what_is_installed(
    files: Mapping[str, str],
    module: str,
    command: str,
    rest: str,
    project: Path,
    environment: dict[str, str],
) -> None:
    write(project, files)
    advice = advise_install(project, PYTHON, [module], environment)
    assert advice.command == (f"{PIP} {command}" if command else "")
    assert (advice.rest if command else advice.text) == rest.format(module)


@pytest.mark.parametrize(
    ("tool", "files", "modules", "command"),
    [
        ("uv", {"pyproject.toml": UV}, ["flask"], "uv sync"),
        ("uv", {"pyproject.toml": UV}, ["pytest"], "uv add --dev pytest"),
        ("uv", {"uv.lock": "", "pyproject.toml": BUILD, "shop.py": ""}, ["shop"], "uv sync"),
        ("poetry", {"poetry.lock": "", "pyproject.toml": POETRY}, ["yaml"], "poetry install"),
        ("poetry", {"pyproject.toml": f"{POETRY}pyyaml = '*'"}, ["yaml"], "poetry install"),
        ("poetry", {"pyproject.toml": POETRY}, ["yaml"], ""),
        ("pdm", {"pdm.lock": "", "pyproject.toml": FLAT}, ["flask"], "pdm install"),
    ],
)
def test_the_tool_that_manages_the_environment_installs(
    tool: str,
    files: Mapping[str, str],
    modules: list[str],
    command: str,
    project: Path,
    environment: dict[str, str],
) -> None:
    write(project, files)
    assert not advise_install(project, PYTHON, modules, environment).command.startswith(tool)
    add_program(environment, tool)
    assert advise_install(project, PYTHON, modules, environment).command == command


def test_pytest_alone_does_not_provide_a_declared_module(
    project: Path, environment: dict[str, str]
) -> None:
    write(project, {"pyproject.toml": f"{POETRY}x = {{git = 'https://h/x'}}\n"})
    advice = advise_install(project, PYTHON, ["pytest", "x"], environment)
    assert advice.hint == f"install pytest: {PIP} pytest; {UNKNOWN.format('x')}"


def test_with_pip_it_is_pip(without_pip: Path, project: Path, environment: dict[str, str]) -> None:
    (site,) = without_pip.glob("lib/python*/site-packages")
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()
    python = f"{without_pip}/bin/python"
    advice = advise_install(project, python, ["pytest"], environment)
    assert advice.command == f"{shlex.quote(python)} -m pip install pytest"


def test_of_an_unknown_python_it_is_pip(project: Path, environment: dict[str, str]) -> None:
    advice = advise_install(project, "", ["pytest"], environment)
    assert advice.command == "python -m pip install pytest"


def test_without_pip_it_is_uv(
    without_pip: Path, project: Path, environment: dict[str, str]
) -> None:
    python = f"{without_pip}/bin/python"
    done = subprocess.run([python, "-m", "pip"], capture_output=True, text=True, check=False)
    assert "No module named pip" in done.stderr
    advice = advise_install(project, python, ["pytest"], environment)
    assert advice.command == f"uv pip install --python {shlex.quote(python)} pytest"


def test_a_python_of_the_operating_system_is_left_alone(
    project: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    """Its pip refuses to install anything."""
    write(tmp_path, {"usr/bin/python3": "", "usr/lib/python3.12/EXTERNALLY-MANAGED": ""})
    python = str(tmp_path / "usr/bin/python3")
    assert advise_install(project, python, ["pytest"], environment).command == NEW
    venv.create(project / ".venv", symlinks=True)
    (project / ".venv/bin/python").unlink()
    (project / ".venv/bin/python").symlink_to(python)
    own = f"{project}/.venv/bin/python"
    command = advise_install(project, own, ["pytest"], environment).command
    assert command == f"uv pip install --python {shlex.quote(own)} pytest"


def test_a_relative_python_is_that_of_the_project(
    project: Path, environment: dict[str, str]
) -> None:
    venv.create(project / ".venv", symlinks=True)
    advice = advise_install(project, ".venv/bin/python", ["pytest"], environment)
    assert advice.command == "uv pip install --python .venv/bin/python pytest"


@pytest.mark.parametrize(
    ("files", "modules", "packages"),
    [
        ({}, ["requests"], ""),
        ({"requirements.txt": "requests\n"}, [], " -r requirements.txt"),
        ({"setup.py": ""}, [], " -e ."),
        ({"pyproject.toml": BUILD, "requirements.txt": "a\n"}, [], " -e . -r requirements.txt"),
        ({"pyproject.toml": FLAT}, ["flask"], " 'flask>=2' rich"),
    ],
)
def test_in_this_programs_own_environment_nothing_is_to_be_installed(
    files: Mapping[str, str],
    modules: list[str],
    packages: str,
    project: Path,
    environment: dict[str, str],
    borrowed: str,
) -> None:
    write(project, files)
    advice = advise_install(project, borrowed, modules, environment)
    assert advice.command == f"{NEW}{packages}"
    assert ("provides requests" in advice.hint) == (modules == ["requests"])


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_without_pytest_gets_it(
    variable: str, project: Path, environment: dict[str, str], borrowed: str, tmp_path: Path
) -> None:
    python = tmp_path / "active" / "bin" / "python"
    write(tmp_path, {"active/bin/python": ""})
    path = f"{python.parent}{os.pathsep}{environment['PATH']}"
    active = {"PATH": path, variable: str(tmp_path / "active")}
    command = f"{shlex.quote(str(python))} -m pip install pytest"
    assert advise_install(project, borrowed, [], active).command == command
    is_base = {**active, "CONDA_DEFAULT_ENV": "base"}
    expected = command if variable == "VIRTUAL_ENV" else NEW
    assert advise_install(project, borrowed, [], is_base).command == expected
    assert advise_install(project, borrowed, [], {**active, **environment}).command == NEW


def test_an_own_interpreter_that_the_user_has_active_is_not_borrowed() -> None:
    scripts = sysconfig.get_path("scripts")
    own = f"{scripts}/{Path(sys.executable).name}"
    assert is_borrowed_interpreter(own, {"PATH": "/usr/bin:/bin"})
    assert not is_borrowed_interpreter(own, {"PATH": f"/usr/bin:{scripts}"})
    assert not is_borrowed_interpreter("/usr/bin/python3", {"PATH": "/usr/bin"})
    assert not is_borrowed_interpreter("", {"PATH": "/usr/bin"})


def test_an_environment_is_broken_once_its_python_was_removed(
    project: Path, environment: dict[str, str]
) -> None:
    assert find_broken_environment(project, environment) is None
    write(project, {"requirements.txt": "flask\n"})
    venv.create(project / ".venv", symlinks=True)
    assert find_broken_environment(project, environment) is None
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("python3")
    (project / ".venv" / "bin" / "python3").unlink()
    (project / ".venv" / "bin" / "python3").symlink_to("/opt/gone/python3.9")
    found = find_broken_environment(project, environment)
    assert found is not None
    assert found.problem == (
        ".venv is broken: its Python, /opt/gone/python3.9, does not exist any more"
    )
    assert found.advice.command == (
        "rm -r .venv && python3 -m venv .venv && .venv/bin/python -m pip install pytest "
        "-r requirements.txt"
    )
    write(project, {"uv.lock": "", "pyproject.toml": FLAT})
    add_program(environment, "uv")
    add_program({"PATH": str(project / ".venv" / "bin")}, "poetry")  # it does not start
    broken = {"PATH": f"{project / '.venv' / 'bin'}{os.pathsep}{environment['PATH']}"}
    write(project, {"poetry.lock": ""})
    for env in (environment, broken):
        found = find_broken_environment(project, env)
        assert found is not None
        assert found.advice.command == "rm -r .venv && uv add --dev pytest"
    write(project, {"requirements-dev.txt": "pytest\n"})
    found = find_broken_environment(project, broken)
    assert found is not None
    assert found.advice.command == "rm -r .venv && uv sync"
