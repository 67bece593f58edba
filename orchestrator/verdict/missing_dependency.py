"""Finds a module that the project declares and that is not installed: no fault of the code.

The experiment alone would blame the attempt, which was asked to use a package and declared it. Only
declared dependencies count, and no module that the project has or had itself. So "install it" is
never advised for an invented name, or for a package of the project that was moved.
"""

import configparser
import contextlib
import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Final

from orchestrator.models import Case, FileChange
from orchestrator.platform import files
from orchestrator.verdict.missing_modules import find_missing_modules

_NAME: Final = re.compile(r"\s*([A-Za-z][\w.-]*)")


def find_missing_dependency(
    cases: Iterable[Case], project: Path, changes: Iterable[FileChange] = ()
) -> str:
    """Return the declared module whose absence makes all cases fail; empty if there is none."""
    missing = {_find_missing_module(case) for case in cases}
    if len(missing) != 1 or "" in missing:
        return ""
    module = missing.pop()
    declared = {name.replace("-", "_").lower() for name in _iter_dependencies(project)}
    return module if module.lower() in declared and not _is_own(module, project, changes) else ""


def _find_missing_module(case: Case) -> str:
    """Return the top-level module that a case misses; empty if none.

    A dotted name is missing in a module that is installed.
    """
    said = "\n".join([case.message, *(each.message for each in case.raised)])
    return next((name for name in find_missing_modules(said) if "." not in name), "")


def _is_own(module: str, project: Path, changes: Iterable[FileChange]) -> bool:
    """Return whether the project has such a module, or had it before the attempt."""
    touched = {part for change in changes for part in PurePosixPath(change.path).parts}
    if module in touched or f"{module}.py" in touched:
        return True
    folders = (project, *filter(files.is_folder, files.find_paths(project, "*")))
    return any(
        files.is_folder(folder / module) or files.exists(folder / f"{module}.py")
        for folder in folders
    )


def _iter_dependencies(project: Path) -> Iterator[str]:
    """Yield the names of the distributions that the project depends on."""
    for line in _iter_requirement_lines(project):
        if match := _NAME.match(line):
            yield match[1]
    # A file with a syntax error, or with values of other types, declares nothing.
    with contextlib.suppress(ValueError, AttributeError, TypeError):
        yield from _iter_pyproject_dependencies(
            tomllib.loads(files.read_text(project / "pyproject.toml"))
        )
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(files.read_text(project / "setup.cfg"))
    except configparser.Error:
        return
    listed = [parser.get("options", "install_requires", fallback="")]
    if parser.has_section("options.extras_require"):
        listed += [value for _, value in parser.items("options.extras_require")]
    for line in "\n".join(listed).splitlines():
        if match := _NAME.match(line):
            yield match[1]


def _iter_requirement_lines(project: Path) -> Iterator[str]:
    for pattern in ("*requirements*.txt", "requirements/*.txt"):
        for file in files.find_paths(project, pattern):
            lines = files.read_text(file).splitlines()
            yield from (line for line in lines if not line.startswith(("-", "#")))


def _iter_pyproject_dependencies(values: dict[str, Any]) -> Iterator[str]:
    project, tool = values.get("project", {}), values.get("tool", {})
    listed = [project.get("dependencies", [])]
    listed += project.get("optional-dependencies", {}).values()
    listed += values.get("dependency-groups", {}).values()
    for requirements in listed:
        for each in requirements:
            if isinstance(each, str) and (match := _NAME.match(each)):
                yield match[1]
    poetry = tool.get("poetry", {})
    groups = [poetry, *poetry.get("group", {}).values()]
    for group in groups:
        yield from group.get("dependencies", {})
