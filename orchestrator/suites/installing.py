"""Say how to install what the tests of a project lack, in the environment where they run."""

import os
import shlex
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import VIRTUALENV_MARK
from orchestrator.suites.detection.tools import list_tool_commands
from orchestrator.suites.environment import find_virtualenv
from orchestrator.suites.project_contents import (
    find_module,
    is_installable,
    list_dependencies,
    list_install_arguments,
)

_PYTEST: Final = "pytest"
_MANAGED_MARK: Final = "EXTERNALLY-MANAGED"
_NEW_ENVIRONMENT: Final = "python3 -m venv .venv && .venv/bin/python -m pip install"
"""The command that makes a virtual environment for a project and installs packages into it."""
_MANAGERS: Final = {
    "uv": ("uv sync", "uv add --dev pytest"),
    "poetry": ("poetry install", "poetry add --group dev pytest"),
    "pdm": ("pdm install", "pdm add --dev pytest"),
    "pipenv": ("pipenv install --dev", "pipenv install --dev pytest"),
}
"""For each tool that manages a project's environment: the command that installs what the project
declares, and the one that adds pytest."""


@dataclass(frozen=True)
class InstallAdvice:
    """What to install for the tests of a project."""

    text: str
    """In words, without the command."""
    command: str = ""
    """The shell command that does it; empty if it is not known which package is needed."""
    rest: str = ""
    """What is to be done besides, in words; empty if that is all."""

    @property
    def hint(self) -> str:
        """The whole advice, with its command."""
        first = f"{self.text}: {self.command}" if self.command else self.text
        return "; ".join(filter(None, (first, self.rest)))


@dataclass(frozen=True)
class BrokenEnvironment:
    """A virtual environment whose interpreter does not exist any more."""

    problem: str
    advice: InstallAdvice


def is_borrowed_interpreter(program: str, environment: Mapping[str, str]) -> bool:
    """Return whether an interpreter is this program's own, and not one that the user has active.

    It runs the tests of a project for which no other pytest is found. It has none of the project's
    packages, and they do not belong there.
    """
    own = sysconfig.get_path("scripts")
    path = environment.get("PATH", os.defpath).split(os.pathsep)
    return bool(program) and str(Path(program).parent) == own and own not in path


def find_active_interpreter(environment: Mapping[str, str]) -> str:
    """Return the Python of the environment that the user has active; empty if there is none.

    conda's base environment is active by itself, and belongs to no project.
    """
    is_base = environment.get("CONDA_DEFAULT_ENV") == "base"
    names = ("VIRTUAL_ENV",) if is_base else ("VIRTUAL_ENV", "CONDA_PREFIX")
    path = environment.get("PATH", os.defpath).split(os.pathsep)
    for name in names:
        folder = f"{environment.get(name, '')}/bin"
        if folder in path and files.is_file(f"{folder}/python"):
            return f"{folder}/python"
    return ""


def advise_install(
    project: Path,
    interpreter: str,
    modules: Sequence[str],
    environment: Mapping[str, str] | None = None,
) -> InstallAdvice:
    """Return what to install for tests that miss modules.

    A module of the project comes with the project, another one with what the project declares. If
    it declares nothing, only the name of the module is known, and a package of that name may be a
    stranger's.

    Args:
        project: the project's folder.
        interpreter: the Python that runs the tests; empty if it is not known. If it is this
            program's own or that of the operating system, the packages go into the active
            environment or into a new one.
        modules: the top-level names of the missing modules; `pytest` for pytest itself. Empty if
            nothing is known to be missing.
        environment: the environment of the user; `os.environ` if None.
    """
    environment = os.environ if environment is None else environment
    is_foreign = is_borrowed_interpreter(interpreter, environment) or _is_managed(interpreter)
    if is_foreign:
        interpreter = find_active_interpreter(environment)
    others = [each for each in modules if each != _PYTEST]
    own = [each for each in others if find_module(project, each)]
    declares = bool(list_dependencies(project))
    unknown = [] if declares else [each for each in others if each not in own]
    rest = _describe_unknown(unknown)
    if own and not is_installable(project):
        if own == others:
            return InstallAdvice(_describe_path(project, own[0]))
        rest, own = _describe_path(project, own[0]), []
    needs_pytest = is_foreign or _PYTEST in modules
    needs_project = (is_foreign and declares) or len(others) > len(unknown)
    text = "install pytest"
    if needs_project:
        text = "install the project" if own else "install what the project declares"
    if command := _choose_manager(project, environment, needs_pytest=needs_pytest):
        return InstallAdvice(text, command, rest)
    packages = [_PYTEST] if needs_pytest else []
    packages += list_install_arguments(project) if needs_project else []
    if not packages:
        return InstallAdvice(rest)
    prefix = format_pip_install(project, interpreter)
    if is_foreign and not interpreter:
        text, prefix = "make an environment for the project", _NEW_ENVIRONMENT
    return InstallAdvice(text, f"{prefix} {' '.join(packages)}", rest)


def format_pip_install(project: Path, interpreter: str) -> str:
    """Return the command that installs packages for an interpreter, without the packages.

    An environment made by uv has no pip.

    Args:
        project: the folder that a relative interpreter is in.
        interpreter: a Python; empty if it is not known.
    """
    root = (project / interpreter).parent.parent
    is_virtualenv = bool(interpreter) and files.is_file(root / VIRTUALENV_MARK)
    if not is_virtualenv or files.find_paths(root, "lib/python*/site-packages/pip/__init__.py"):
        return f"{shlex.quote(interpreter or 'python')} -m pip install"
    return f"uv pip install --python {shlex.quote(interpreter)}"


def find_broken_environment(project: Path) -> BrokenEnvironment | None:
    """Return the project's virtual environment if its interpreter was removed; None if it works."""
    found = find_virtualenv(project)
    python = found / "bin" / "python" if found else None
    if found is None or python is None or not files.is_link(python) or files.is_file(python):
        return None
    name = str(found.relative_to(project)) if found.is_relative_to(project) else str(found)
    packages = " ".join([_PYTEST, *list_install_arguments(project)])
    quoted = shlex.quote(name)
    command = (
        f"rm -r {quoted} && python3 -m venv {quoted} && {quoted}/bin/python -m pip install "
        f"{packages}"
    )
    return BrokenEnvironment(
        f"{name} is broken: its Python, {os.path.realpath(python)}, does not exist any more",
        InstallAdvice("make it again", command),
    )


def _is_managed(interpreter: str) -> bool:
    """Return whether an interpreter refuses to install packages: others manage them (PEP 668)."""
    root = Path(interpreter).parent.parent
    if not interpreter.startswith("/") or files.is_file(root / VIRTUALENV_MARK):
        return False
    base = Path(os.path.realpath(interpreter)).parent.parent
    return bool(files.find_paths(base, f"lib/python*/{_MANAGED_MARK}"))


def _choose_manager(project: Path, environment: Mapping[str, str], *, needs_pytest: bool) -> str:
    """Return the command of the tool that manages the environment; empty if none helps."""
    programs = (each.command.split()[0] for each in list_tool_commands(project, environment))
    name = next((each for each in programs if each in _MANAGERS), "")
    if not name:
        return ""
    install, add_pytest = _MANAGERS[name]
    declared = list_dependencies(project)
    if needs_pytest and _PYTEST not in declared:
        return add_pytest
    return install if declared or files.is_file(project / f"{name}.lock") else ""


def _describe_unknown(modules: Sequence[str]) -> str:
    """Describe what to install for modules whose packages are not known."""
    if not modules:
        return ""
    return f"install the package that provides {', '.join(modules[:3])}, where the tests run"


def _describe_path(project: Path, module: str) -> str:
    """Describe how the tests import a module of a project that cannot be installed."""
    path = find_module(project, module)
    folder = path.parent.relative_to(project) if path else Path()
    return f"{module} is in the project: put PYTHONPATH={folder} before the command of the tests"
