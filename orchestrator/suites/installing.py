"""Say how to install what the tests of a project lack, in the environment where they run."""

import os
import shlex
import sysconfig
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import is_virtualenv
from orchestrator.suites.declared_packages import (
    DeclaredPackages,
    is_installable,
    read_declared_packages,
)
from orchestrator.suites.detection.modules import find_module
from orchestrator.suites.detection.tools import list_tool_commands
from orchestrator.suites.environment import NEW_VIRTUALENV, find_virtualenv

_PYTEST: Final = "pytest"
_MANAGED_MARK: Final = "EXTERNALLY-MANAGED"
_MANAGERS: Final = {
    "uv": ("uv sync", "uv add --dev"),
    "poetry": ("poetry install", "poetry add --group dev"),
    "pdm": ("pdm install", "pdm add --dev"),
    "pipenv": ("pipenv install --dev", "pipenv install --dev"),
}
"""For each tool that manages a project's environment: the command that installs what the project
declares, and the one that adds a package for its tests."""


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
    is_foreign = _is_foreign(interpreter, environment)
    others = [each for each in modules if each != _PYTEST]
    own = [each for each in others if find_module(project, each)]
    foreign = [each for each in others if each not in own]
    rest = []
    if own and not is_installable(project):
        rest, own = [_describe_path(project, own[0])], []
        if not foreign:
            return InstallAdvice(rest[0])
    declared = read_declared_packages(project)
    needs_project = bool(own) or (declared.has_any and (is_foreign or bool(foreign)))
    needs_pytest = is_foreign or _PYTEST in modules
    wanted = declared.list_arguments(foreign) if needs_project else []
    packages = [*([_PYTEST] if needs_pytest else []), *wanted]
    command = _choose_manager(project, declared, environment, needs_pytest=needs_pytest)
    rest += _describe_unknown(foreign, declared, installs=bool(command or wanted))
    text = "install pytest" if packages == [_PYTEST] else "install what the project declares"
    text = "install the project" if own else text
    if packages and not command:
        command = f"{_format_installer(project, interpreter, environment)} {' '.join(packages)}"
        if is_foreign and not find_active_interpreter(environment):
            text = "make an environment for the project"
    if not command:
        return InstallAdvice("; ".join(rest))
    return InstallAdvice(text, command, "; ".join(rest))


def format_plugin_install(
    project: Path, interpreter: str, environment: Mapping[str, str] | None = None
) -> str:
    """Return the command that installs a plugin of pytest for the tests, without its name.

    Args:
        project: the project's folder.
        interpreter: see `advise_install`.
        environment: the environment of the user; `os.environ` if None.
    """
    environment = os.environ if environment is None else environment
    if manager := _find_manager(project, environment):
        return _MANAGERS[manager][1]
    installer = _format_installer(project, interpreter, environment)
    return f"{installer} {_PYTEST}" if _is_foreign(interpreter, environment) else installer


def find_broken_environment(
    project: Path, environment: Mapping[str, str]
) -> BrokenEnvironment | None:
    """Return the project's virtual environment if its interpreter was removed; None if it works."""
    found = find_virtualenv(project)
    python = found / "bin" / "python" if found else None
    if found is None or python is None or not files.is_link(python) or files.is_file(python):
        return None
    name = str(found.relative_to(project)) if found.is_relative_to(project) else str(found)
    declared = read_declared_packages(project)
    # A tool that is installed in the broken environment does not start.
    path = environment.get("PATH", os.defpath).split(os.pathsep)
    others = os.pathsep.join(each for each in path if each != str(found / "bin"))
    command = _choose_manager(project, declared, {**environment, "PATH": others}, needs_pytest=True)
    if not command:
        packages = " ".join([_PYTEST, *declared.list_arguments()])
        command = f"{_format_new_environment(name)} {packages}"
    return BrokenEnvironment(
        f"{name} is broken: its Python, {os.path.realpath(python)}, does not exist any more",
        InstallAdvice("make it again", f"rm -r {shlex.quote(name)} && {command}"),
    )


def _is_foreign(interpreter: str, environment: Mapping[str, str]) -> bool:
    """Return whether packages for a project's tests do not belong to an interpreter."""
    return is_borrowed_interpreter(interpreter, environment) or _is_managed(interpreter)


def _format_installer(project: Path, interpreter: str, environment: Mapping[str, str]) -> str:
    """Return the command that installs packages for the tests, without the packages.

    An environment made by uv has no pip.

    Args:
        project: the folder that a relative interpreter is in.
        interpreter: see `advise_install`.
        environment: the environment of the user.
    """
    if _is_foreign(interpreter, environment):
        interpreter = find_active_interpreter(environment)
        if not interpreter:
            return _format_new_environment(NEW_VIRTUALENV)
    root = (project / interpreter).parent.parent
    is_inside = bool(interpreter) and is_virtualenv(root)
    if not is_inside or files.find_paths(root, "lib/python*/site-packages/pip/__init__.py"):
        return f"{shlex.quote(interpreter or 'python')} -m pip install"
    return f"uv pip install --python {shlex.quote(interpreter)}"


def _format_new_environment(name: str) -> str:
    """Return the command that makes an environment and installs packages, without these."""
    quoted = shlex.quote(name)
    return f"python3 -m venv {quoted} && {quoted}/bin/python -m pip install"


def _is_managed(interpreter: str) -> bool:
    """Return whether an interpreter refuses to install packages: others manage them (PEP 668)."""
    root = Path(interpreter).parent.parent
    if not interpreter.startswith("/") or is_virtualenv(root):
        return False
    base = Path(os.path.realpath(interpreter)).parent.parent
    return bool(files.find_paths(base, f"lib/python*/{_MANAGED_MARK}"))


def _find_manager(project: Path, environment: Mapping[str, str]) -> str:
    """Return the tool that manages the project's environment; empty if none is installed."""
    programs = (each.command.split()[0] for each in list_tool_commands(project, environment))
    return next((each for each in programs if each in _MANAGERS), "")


def _choose_manager(
    project: Path,
    declared: DeclaredPackages,
    environment: Mapping[str, str],
    *,
    needs_pytest: bool,
) -> str:
    """Return the command of the tool that manages the environment; empty if none helps."""
    name = _find_manager(project, environment)
    if not name:
        return ""
    install, add = _MANAGERS[name]
    if needs_pytest and not declared.contains(_PYTEST):
        return f"{add} {_PYTEST}"
    return install if declared.has_any or files.is_file(project / f"{name}.lock") else ""


def _describe_unknown(
    modules: Sequence[str], declared: DeclaredPackages, *, installs: bool
) -> list[str]:
    """Describe what to install for modules whose packages are not known, if there are any.

    Args:
        modules: the top-level names of missing modules.
        declared: what the project declares.
        installs: whether that is installed first.
    """
    unknown = [each for each in modules if not (installs and declared.contains(each))]
    if not unknown:
        return []
    names = ", ".join(unknown[:3])
    if installs and not declared.is_complete:
        return [f"if {names} is still missing then, install the package that provides it"]
    return [f"install the package that provides {names}, where the tests run"]


def _describe_path(project: Path, module: str) -> str:
    """Describe how the tests import a module of a project that cannot be installed."""
    path = find_module(project, module)
    folder = path.parent.relative_to(project) if path else Path()
    return f"{module} is in the project: put PYTHONPATH={folder} before the command of the tests"
