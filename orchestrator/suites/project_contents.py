"""Find out what a project contains, by reading its files."""

from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.suites.detection.project_files import find_table, read_toml

_SOURCE_FOLDERS: Final = ("", "src", "lib", "python")
_PYPROJECT: Final = "pyproject.toml"


def find_module(project: Path, name: str) -> Path | None:
    """Return the path of a top-level module of the project; None if it has none of that name."""
    for folder in _SOURCE_FOLDERS:
        for path in (project / folder / name, project / folder / f"{name}.py"):
            if files.exists(path):
                return path
    return None


def is_installable(project: Path) -> bool:
    """Return whether `pip install -e .` can install the project.

    Without a build system, setuptools finds the packages itself; beside each other in the project's
    folder it takes only one.
    """
    pyproject = read_toml(project / _PYPROJECT)
    poetry = find_table(pyproject, "tool", "poetry") or {}
    if poetry.get("package-mode") is False:
        return False
    if "build-system" in pyproject or files.is_file(project / "setup.py"):
        return True
    return "project" in pyproject and files.is_folder(project / "src")
