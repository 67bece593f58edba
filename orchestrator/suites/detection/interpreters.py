"""Find the interpreter that would run a command in a project's environment."""

import glob
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import READ_LIMIT, VIRTUALENV_MARK
from orchestrator.suites.environment import find_editable_folders, find_virtualenv

_USES_SYSTEM: Final = "include-system-site-packages"
_SYSTEM_FOLDERS: Final = (
    *("lib/python*/site-packages", "lib/python*/dist-packages"),
    "local/lib/python*/dist-packages",
)
"""Folders of packages below the prefix of an interpreter; `dist-packages` are those of Debian."""


def find_interpreter(project: Path, program: str, environment: Mapping[str, str]) -> str:
    """Return the interpreter that runs a program, or the program itself; empty if not found.

    Args:
        project: the project's folder; a path inside it is returned relative to it.
        program: `pytest`, `python`, `make`, or a path from the project's folder.
        environment: the whole environment of the project's programs.
    """
    where = project / program if "/" in program else program
    found = shutil.which(where, path=environment.get("PATH"))
    if found is None:
        return ""
    path = Path(found)
    if not re.fullmatch(r"python[\d.]*", path.name):
        beside = path.parent / "python"
        own = find_virtualenv(project)
        if own and path.parent == own / "bin" and files.is_file(beside):
            path = beside
        elif shebang := re.match(r"#!\s*(/\S*python[\d.]*)\s*$", _read_first_line(path)):
            path = Path(shebang[1])
    return str(path.relative_to(project) if path.is_relative_to(project) else path)


def has_pytest(virtualenv: Path) -> bool:
    """Return whether files show that a virtual environment finds pytest.

    It may find one that is seen nowhere, see `uses_system_packages`.
    """
    return has_pytest_script(virtualenv) or any(
        files.is_file(folder / "pytest" / "__init__.py")
        for folder in (
            *files.find_paths(virtualenv, "lib/python*/site-packages"),
            *find_editable_folders(virtualenv),
            *_find_system_folders(virtualenv),
        )
    )


def uses_system_packages(virtualenv: Path) -> bool:
    """Return whether the packages of the interpreter that made an environment are found in it.

    Those of its user are found too, so that only the interpreter knows all of these folders.
    """
    return _read_virtualenv_settings(virtualenv).get(_USES_SYSTEM, "").lower() == "true"


def _find_system_folders(virtualenv: Path) -> list[Path]:
    """List the usual folders of packages outside of a virtual environment that it uses."""
    home = _read_virtualenv_settings(virtualenv).get("home", "")
    if not home or not uses_system_packages(virtualenv):
        return []
    root = Path(home).parent
    return [each for pattern in _SYSTEM_FOLDERS for each in files.find_paths(root, pattern)]


def _read_virtualenv_settings(virtualenv: Path) -> dict[str, str]:
    lines = files.read_text(virtualenv / VIRTUALENV_MARK, READ_LIMIT).splitlines()
    pairs = (line.partition("=") for line in lines)
    return {key.strip().lower(): value.strip() for key, _, value in pairs}


def has_pytest_script(virtualenv: Path) -> bool:
    """Return whether a virtual environment has the program pytest."""
    return files.is_file(virtualenv / "bin" / "pytest")


def is_installed(virtualenv: Path | None, source: Path, module: str) -> bool:
    """Return whether a virtual environment has a module, or the folder with its source.

    Args:
        virtualenv: the environment; without one, nothing is known to be installed.
        source: the folder that contains the module's source.
        module: its name.
    """
    if virtualenv is None:
        return False
    if source.resolve() in find_editable_folders(virtualenv):
        return True
    pattern = f"lib/python*/site-packages/{glob.escape(module)}"
    return any(files.find_paths(virtualenv, f"{pattern}{end}") for end in ("", ".py", ".*.so"))


def _read_first_line(path: Path) -> str:
    return files.read_text(path, 200).partition("\n")[0]
