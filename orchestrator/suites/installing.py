"""Say how to install packages where the tests of a project run."""

import os
import re
import shlex
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import VIRTUALENV_MARK

NEW_ENVIRONMENT: Final = "python3 -m venv .venv && .venv/bin/python -m pip install"
"""The command that makes a virtual environment for a project and installs packages into it."""


def is_borrowed_interpreter(program: str, environment: Mapping[str, str]) -> bool:
    """Return whether an interpreter is this program's own, and not one that the user has active.

    It runs the tests of a project for which no other pytest is found. It has none of the project's
    packages, and they do not belong there.
    """
    own = sysconfig.get_path("scripts")
    path = environment.get("PATH", os.defpath).split(os.pathsep)
    return bool(program) and str(Path(program).parent) == own and own not in path


def suggest_install(project: Path, interpreter: str, packages: str) -> str:
    """Return the command that installs packages for the tests of a project.

    An environment made by uv has no pip. If it is this program's own one, the project gets an
    environment instead, with its own packages and pytest.

    Args:
        project: the project's folder.
        interpreter: the Python that runs the tests; empty if it is not known.
        packages: what to install, as arguments of pip.
    """
    if is_borrowed_interpreter(interpreter, os.environ):
        return f"{NEW_ENVIRONMENT} pytest {_list_declared(project) or packages}".rstrip()
    root = Path(interpreter).parent.parent
    is_virtualenv = bool(interpreter) and files.is_file(root / VIRTUALENV_MARK)
    if not is_virtualenv or files.find_paths(root, "lib/python*/site-packages/pip/__init__.py"):
        return f"{shlex.quote(interpreter or 'python')} -m pip install {packages}"
    return f"uv pip install --python {shlex.quote(interpreter)} {packages}"


def _list_declared(project: Path) -> str:
    """Return what a project declares to need, as arguments of pip; empty if it declares nothing."""
    declared = []
    text = files.read_text(project / "pyproject.toml", 100_000)
    if re.search(r"^\[(?:project|build-system)\]", text, re.M) or files.is_file(
        project / "setup.py"
    ):
        declared.append("-e .")
    if files.is_file(project / "requirements.txt"):
        declared.append("-r requirements.txt")
    return " ".join(declared)
