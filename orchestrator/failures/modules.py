"""Whether a Python module that is missing is missing from the machine, or from the project."""

import difflib
import os
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.models import Diff

_MISSING: Final = re.compile(r"No module named '?([\w.]+)'?(?!.*is not a package)")
_IMPORT: Final = re.compile(r"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)
_DECLARED: Final = re.compile(r"(?:^[ \t]*|['\"])([A-Za-z][\w.-]*)", re.MULTILINE)
_DECLARING: Final = re.compile(
    r"requirements[\w.-]*\.txt|pyproject\.toml|setup\.(?:py|cfg)|Pipfile"
)
_NOT_OURS: Final = re.compile(
    r"\.|node_modules$|site-packages$|__pycache__$|venv|env$|build$|dist$"
)

_FILES_BOUND: Final = 5_000
_READ_BOUND: Final = 100_000
_ALIKE: Final = 0.8
"""Share of letters from which on a name is taken for a slip of another one."""


def missing_module(words: str, project: Path, diff: Diff) -> str:
    """Give the name of a module that has to be installed, or nothing.

    A module of the project that was deleted, renamed or mistyped is the code's fault. So is a part
    of an installed package that the package does not have: Python names the part only once it has
    found the package.
    """
    match = _MISSING.search(words)
    if match is None or "." in match[1]:
        return ""
    name = match[1]
    files = [*_files(project)]
    own = {part for path in files if path.suffix == ".py" for part in _module_names(path)}
    gone = {
        part
        for change in diff.changes
        if change.status == "D" and change.path.endswith(".py")
        for part in _module_names(PurePosixPath(change.path))
    }
    if name in own | gone:
        return ""
    known = _known(project, files, {change.path for change in diff.changes})
    slip = difflib.get_close_matches(name, own | gone | known, 1, _ALIKE)
    return name if name in known or not slip else ""


def _module_names(path: PurePosixPath) -> set[str]:
    folders = set(path.parts[:-1])
    return folders if path.name == "__init__.py" else {*folders, path.stem}


def _known(project: Path, files: list[PurePosixPath], changed: set[str]) -> set[str]:
    """Names that what the attempt left alone imports, and packages that the project declares."""
    names: set[str] = set()
    for path in files:
        declares = _DECLARING.fullmatch(path.name) is not None
        if not declares and (path.suffix != ".py" or str(path) in changed):
            continue
        text = _text(project / path)
        names.update(_IMPORT.findall(text) if path.suffix == ".py" else ())
        if declares:
            names.update(each.replace("-", "_") for each in _DECLARED.findall(text))
    return names


def _files(project: Path) -> Iterator[PurePosixPath]:
    count = 0
    for folder, folders, names in os.walk(project):
        folders[:] = sorted(name for name in folders if not _NOT_OURS.match(name))
        for name in sorted(names):
            if name.endswith(".py") or _DECLARING.fullmatch(name):
                yield PurePosixPath(Path(folder, name).relative_to(project))
                count += 1
                if count >= _FILES_BOUND:
                    return


def _text(path: Path) -> str:
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(_READ_BOUND)
    except OSError:
        return ""
