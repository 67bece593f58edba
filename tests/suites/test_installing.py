"""The command that installs a package works in the environment that it names."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

from orchestrator.suites.installing import is_borrowed_interpreter, suggest_install


@pytest.fixture
def without_pip(tmp_path: Path) -> Path:
    """An environment without pip, as uv makes it."""
    venv.create(tmp_path / "env", symlinks=True)
    return tmp_path / "env"


def test_with_pip_it_is_pip(without_pip: Path, tmp_path: Path) -> None:
    (site,) = without_pip.glob("lib/python*/site-packages")
    (site / "pip").mkdir()
    (site / "pip" / "__init__.py").touch()
    python = f"{without_pip}/bin/python"
    assert suggest_install(tmp_path, python, "yaml") == f"{python} -m pip install yaml"


@pytest.mark.parametrize("python", ["", "/nowhere/bin/python"])
def test_of_an_unknown_python_it_is_pip(python: str, tmp_path: Path) -> None:
    expected = f"{python or 'python'} -m pip install yaml"
    assert suggest_install(tmp_path, python, "yaml") == expected


def test_without_pip_it_is_uv(without_pip: Path, tmp_path: Path) -> None:
    python = f"{without_pip}/bin/python"
    done = subprocess.run([python, "-m", "pip"], capture_output=True, text=True, check=False)
    assert "No module named pip" in done.stderr
    assert suggest_install(tmp_path, python, "yaml") == f"uv pip install --python {python} yaml"


@pytest.mark.parametrize(
    ("files", "packages"),
    [
        ((), "requests"),
        (("requirements.txt",), "-r requirements.txt"),
        (("setup.py",), "-e ."),
        (("pyproject.toml", "requirements.txt"), "-e . -r requirements.txt"),
    ],
)
def test_in_this_programs_own_environment_nothing_is_to_be_installed(
    files: tuple[str, ...],
    packages: str,
    without_pip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    for name in files:
        (project / name).write_text("[project]\n", encoding="utf-8")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr(sysconfig, "get_path", lambda _name: os.fspath(without_pip / "bin"))
    assert suggest_install(project, f"{without_pip}/bin/python", "requests") == (
        f"python3 -m venv .venv && .venv/bin/python -m pip install pytest {packages}"
    )


def test_an_own_interpreter_that_the_user_has_active_is_not_borrowed() -> None:
    scripts = sysconfig.get_path("scripts")
    own = f"{scripts}/{Path(sys.executable).name}"
    assert is_borrowed_interpreter(own, {"PATH": "/usr/bin:/bin"})
    assert not is_borrowed_interpreter(own, {"PATH": f"/usr/bin:{scripts}"})
    assert not is_borrowed_interpreter("/usr/bin/python3", {"PATH": "/usr/bin"})
    assert not is_borrowed_interpreter("", {"PATH": "/usr/bin"})
