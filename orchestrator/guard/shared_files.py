"""Reads the part that affects tests of files that contain other settings too.

An agent may add a dependency to pyproject.toml; it may not deselect tests there.
"""

import configparser
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import PurePosixPath
from typing import Any, Final

_TABLES: Final = ("pytest", "pytest_env", "coverage", "tox", "nox", "hatch", "poe", "pdm")
"""Tables under `[tool]` that decide which tests run, how, and what counts as passed."""

_INI_SECTIONS: Final = re.compile(r"pytest|tool:pytest|testenv|tox|coverage|run$|report$")

_VARIABLES: Final = re.compile(
    rb"^\s*(?:export\s+)?((?:PYTEST|PYTHON|COVERAGE|TOX|NOX|LD_|NODE|MAKE)\w*|PATH|SHELL|ENV|BASH_ENV)\s*=",
    re.MULTILINE,
)

_SETUPTOOLS: Final = re.compile(
    rb"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os\.environ\.get\(var, '\w+'\) == "
    rb"'local'; enabled and __import__\('_distutils_hack'\)(?:\.add_shim\(\))?;?\s*"
)
"""The line that setuptools itself installs into every environment
(distutils-precedence.pth)."""


def read_test_config(path: str, data: bytes | None) -> object:
    """Return the part of a file's content that affects tests.

    Args:
        path: the file's path; only its name counts.
        data: its content; None if there is no such file.

    Returns:
        A value to compare, equal if tests are affected equally: the whole content for a file that
        only affects tests, and None for one that does not exist or affects no test.
    """
    read = _build_parsers().get(PurePosixPath(path).name) or (
        _parse_pth if path.endswith(".pth") else None
    )
    if data is None or read is None:
        return data
    try:
        return read(data) or None
    except (
        ValueError,
        configparser.Error,
        RecursionError,
    ):  # a file that cannot be parsed counts as a whole
        return data


def is_shared(path: str) -> bool:
    """Return whether only a part of such a file affects tests; other edits are allowed."""
    return PurePosixPath(path).name in _build_parsers() or path.endswith(".pth")


def _build_parsers() -> Mapping[str, Callable[[bytes], object]]:
    return {
        "pyproject.toml": _parse_pyproject,
        "tox.ini": _parse_ini,
        "setup.cfg": _parse_ini,
        "package.json": _parse_package_json,
        "entry_points.txt": _parse_entry_points,
        ".env": _parse_env,
    }


def _parse_pyproject(data: bytes) -> object:
    found = tomllib.loads(data.decode("utf-8"))
    tool, project = _find_table(found, "tool"), _find_table(found, "project")
    parts = {name: tool[name] for name in _TABLES if name in tool}
    points = _find_table(project, "entry-points").get("pytest11")
    plugins = _find_table(_find_table(tool, "poetry"), "plugins").get("pytest11")
    return parts | {
        name: value for name, value in (("points", points), ("plugins", plugins)) if value
    }


def _find_table(of: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _parse_sections(data: bytes) -> dict[str, dict[str, str]]:
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    parser.read_string(data.decode("utf-8"))
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _parse_ini(data: bytes) -> object:
    found = _parse_sections(data)
    parts = {name: items for name, items in found.items() if _INI_SECTIONS.match(name)}
    points = found.get("options.entry_points", {}).get("pytest11")
    return parts | ({"points": {"pytest11": points}} if points else {})


def _parse_entry_points(data: bytes) -> object:
    return _parse_sections(data).get("pytest11")


def _parse_package_json(data: bytes) -> object:
    found = json.loads(data)
    names = ("scripts", "jest", "mocha", "ava", "vitest", "nyc", "c8")
    return {name: found[name] for name in names if name in found}


def _parse_env(data: bytes) -> object:
    return [line for line in data.splitlines() if _VARIABLES.match(line)]


def _parse_pth(data: bytes) -> object:
    """Return the lines of a .pth file that `site` executes whenever Python starts."""
    return [
        line
        for line in data.splitlines()
        if line.startswith((b"import ", b"import\t")) and not _SETUPTOOLS.fullmatch(line)
    ]
