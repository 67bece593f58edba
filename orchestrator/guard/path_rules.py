"""Guesses what is guarded from the names of files, if the suite recorded no footprint."""

import re
import tomllib
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.guard.scripts import TEST_FILE, TEST_FOLDER
from orchestrator.platform import files

__all__ = [
    "RUNNERS",
    "TEST_FOLDER",
    "find_plugin_files",
    "find_test_files",
    "find_test_folders",
    "is_in_tests",
    "is_test",
    "read_offered_plugins",
]

_TEST_FOLDERS: Final = frozenset({"test", "tests", "__tests__", "spec", "testing"})
"""Names of folders in which everything is guarded, if they contain tests."""

RUNNERS: Final = frozenset({"pytest", "_pytest", "py", "pluggy", "iniconfig", "unittest"})

_PLUGINS: Final = (
    re.compile(r"(?:^|[\s\"'\[,])-p[\s=\"',]*(?!no:)([A-Za-z_][\w.]*)"),
    re.compile(r"pytest_plugins\s*(?::[^=\n]+)?=\s*([^\n]*(?:\n[ \t\])][^\n]*)*)"),
    re.compile(r"pytest11[^\n]*\n((?:[ \t]*[\w.-]+\s*=[^\n]*\n?)+)"),
)
_DOTTED: Final = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_CONFIGS: Final = ("conftest.py", "pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg")


def is_test(path: str) -> bool:
    """Return whether a file is a test by its name."""
    return TEST_FILE.fullmatch(path.rpartition("/")[2]) is not None


def is_in_tests(path: str) -> bool:
    """Return whether a file is a test by its name, or in a folder of tests by the folder's name."""
    return is_test(path) or any(part in _TEST_FOLDERS for part in PurePosixPath(path).parts[:-1])


def find_test_files(paths: Iterable[str], collected: Collection[str]) -> set[str]:
    """Return the files that are tests, or are beside tests in a folder of tests.

    Args:
        paths: the project's files.
        collected: files that had test cases when the suite ran.
    """
    parents = {path: path.rpartition("/")[0] for path in paths}
    tests = {path for path in parents if path in collected or is_test(path)}
    with_tests = {parents[path] for path in tests}
    folders = {folder for parent in with_tests for folder in _iter_test_folders(parent)}
    serving = {
        parent
        for parent in set(parents.values())
        if not folders.isdisjoint(_iter_test_folders(parent))
    }
    return tests | {path for path, parent in parents.items() if parent in serving}


def find_test_folders(tests: Iterable[str]) -> set[str]:
    """Return the folders of tests that are, or are below, a folder with a test folder's name."""
    return {
        parent
        for test in tests
        if (parent := test.rpartition("/")[0]) and list(_iter_test_folders(parent))
    }


def find_plugin_files(project: Path, command: str, named: Iterable[str]) -> set[str]:
    """Return the project's files that the command or a configuration loads as pytest plugins.

    Args:
        project: the project's folder.
        command: the suite's command.
        named: further modules that pytest loads as plugins.
    """
    configs = [
        *(project / name for name in _CONFIGS),
        *files.find_paths(project, "test*/conftest.py"),
    ]
    texts = [command, *map(files.read_text, configs)]
    found = set(named)
    for text in texts:
        for pattern in _PLUGINS:
            found |= {name for match in pattern.findall(text) for name in _DOTTED.findall(match)}
    candidates = {
        f"{top}{name.replace('.', '/')}{end}"
        for name in found
        for top in ("", "src/")
        for end in (".py", "/__init__.py")
    }
    return {path for path in candidates if files.is_file(project / path)}


def read_offered_plugins(project: Path) -> set[str]:
    """Return the modules that the project's own pyproject.toml offers to pytest as plugins."""
    try:
        found = tomllib.loads(files.read_text(project / "pyproject.toml"))
        points = found["project"]["entry-points"]["pytest11"]
        return {str(value).split(":")[0].strip() for value in points.values()}
    except (ValueError, KeyError, AttributeError, TypeError):
        return set()


def _iter_test_folders(folder: str) -> Iterator[str]:
    """Yield a folder and its parents as far as they have the name of a folder of tests."""
    parts = folder.split("/")
    for at, part in enumerate(parts, 1):
        if part in _TEST_FOLDERS:
            yield "/".join(parts[:at])
