"""Find out what a project contains and what it declares to need, by reading its files."""

import configparser
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.suites.detection.project_files import (
    Table,
    find_table,
    list_texts,
    read_text,
    read_toml,
)

_SOURCE_FOLDERS: Final = ("", "src", "lib", "python")
_PYPROJECT: Final = "pyproject.toml"
_NAME: Final = re.compile(r"\s*([A-Za-z][\w.-]*)")
_REQUIREMENT: Final = re.compile(
    r"\s*([A-Za-z][\w.-]*(?:\s*\[[\w\s,.-]+\])?\s*(?:[<>=!~]=?=?\s*[\w.*+-]+[\s,]*)*)(?:;.*)?"
)
"""A requirement that can be an argument of pip: no address and no option."""
_FOR_TESTS: Final = ("test", "tests", "testing", "dev")
"""Usual names of what a project needs for its tests only."""
_REQUIREMENTS_FILE: Final = re.compile(
    r"(?:(?:dev|tests?)[-_])?requirements(?:[-_](?:dev|tests?))?\.txt"
)


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
    if "build-system" in pyproject or files.is_file(project / "setup.py"):
        return True
    return "project" in pyproject and files.is_folder(project / "src")


def list_install_arguments(project: Path) -> list[str]:
    """Return what the project declares to need, as arguments of pip, each ready for a shell."""
    pyproject = read_toml(project / _PYPROJECT)
    table = find_table(pyproject, "project") or {}
    extras = find_table(table, "optional-dependencies") or {}
    groups = find_table(pyproject, "dependency-groups") or {}
    extra_names = [name for name in _FOR_TESTS if name in extras]
    required: list[str] = [*_iter_group(groups)]
    arguments = []
    if is_installable(project):
        target = f".[{','.join(extra_names)}]" if extra_names else "."
        arguments = ["-e", shlex.quote(target)]
    else:
        required = [*_select_texts(table.get("dependencies")), *_iter_group(extras), *required]
        required += _iter_setup_cfg(project)
    found = (match[1].strip() for each in required if (match := _REQUIREMENT.fullmatch(each)))
    arguments += [shlex.quote(re.sub(r"\s+", "", each)) for each in dict.fromkeys(found)]
    for file in sorted(files.find_paths(project, "*requirements*.txt")):
        if _REQUIREMENTS_FILE.fullmatch(file.name):
            arguments += ["-r", file.name]
    return arguments


def list_dependencies(project: Path) -> list[str]:
    """Return the names of the distributions that the project declares to depend on."""
    pyproject = read_toml(project / _PYPROJECT)
    listed = [*_iter_requirement_lines(project), *_iter_setup_cfg(project)]
    listed += _iter_requirements(pyproject)
    names = [match[1] for each in listed if (match := _NAME.match(each))]
    return list(dict.fromkeys((*names, *_iter_poetry_names(pyproject))))


def is_declared(project: Path, module: str) -> bool:
    """Return whether the project depends on a distribution with the name of a module."""
    names = {each.replace("-", "_").lower() for each in list_dependencies(project)}
    return module.lower() in names


def _iter_requirement_lines(project: Path) -> Iterator[str]:
    for pattern in ("*requirements*.txt", "requirements/*.txt"):
        for file in files.find_paths(project, pattern):
            lines = read_text(file).splitlines()
            yield from (line for line in lines if not line.startswith(("-", "#")))


def _iter_requirements(pyproject: Table) -> Iterator[str]:
    """Yield the requirements of a `pyproject.toml`; values of other types declare nothing."""
    table = find_table(pyproject, "project") or {}
    yield from _select_texts(table.get("dependencies"))
    extras, groups = table.get("optional-dependencies"), pyproject.get("dependency-groups")
    for values in (extras, groups):
        for each in values.values() if isinstance(values, dict) else ():
            yield from _select_texts(each)


def _iter_poetry_names(pyproject: Table) -> Iterator[str]:
    poetry = find_table(pyproject, "tool", "poetry") or {}
    groups = find_table(poetry, "group") or {}
    for name in ("dependencies", "dev-dependencies"):
        yield from (each for each in find_table(poetry, name) or {} if each != "python")
    for group in groups.values():
        if isinstance(group, dict):
            yield from find_table(group, "dependencies") or {}


def _iter_setup_cfg(project: Path) -> Iterator[str]:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(read_text(project / "setup.cfg"))
    except configparser.Error:
        return
    listed = [parser.get("options", "install_requires", fallback="")]
    if parser.has_section("options.extras_require"):
        listed += [value for _, value in parser.items("options.extras_require")]
    yield from (line for line in "\n".join(listed).splitlines() if line.strip())


def _iter_group(groups: Table) -> Iterator[str]:
    for name in _FOR_TESTS:
        yield from _select_texts(groups.get(name))


def _select_texts(value: object) -> Iterable[str]:
    """Return the texts of a list; a text alone is none."""
    return list_texts(value) if isinstance(value, list) else ()
