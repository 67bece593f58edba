"""Find the test files of a project, and the packages below it that have their own.

Walks few folders, those of tools and installed packages left out, and reads the beginning of few
files.
"""

import os
import re
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import TEST_FILE, TEST_FOLDERS, has_own_tests

_SKIPPED: Final = frozenset(
    {
        *("node_modules", "venv", "env", "build", "dist", "site-packages", "__pycache__", "target"),
        *("vendor", "third_party", "htmlcov", "htmldoc"),
    }
)
_MOST_ENTRIES: Final = 20_000
_DEEPEST: Final = 6
_MOST_PACKAGES: Final = 20
_MOST_READ: Final = 50
"""Most test files that are looked into, and _HEAD bytes of each."""
_HEAD: Final = 64 * 1024

_UNITTEST_FILE: Final = re.compile(r"test.*\.py")
_TEST_CASE: Final = re.compile(rb"^\s*class\s+\w+\(.*TestCase\b", re.MULTILINE)
_TEST_FUNCTION: Final = re.compile(rb"^(?:async\s+)?def\s+test|^\s*import\s+pytest", re.MULTILINE)


@dataclass
class SourceTree:
    """The test files of a project, and its packages."""

    pytest_files: list[str] = field(default_factory=list)
    """Files that pytest collects by its defaults, from the project's folder."""
    unittest_files: list[str] = field(default_factory=list)
    """Files with a `unittest.TestCase` that `unittest` finds, also if pytest does not."""
    has_test_functions: bool = False
    """Whether a file has tests that only pytest runs."""
    packages: list[str] = field(default_factory=list)
    """Folders below the project with a manifest and tests of their own."""

    @property
    def has_python_tests(self) -> bool:
        """Whether there are tests in Python, whoever runs them."""
        return bool(self.pytest_files or self.unittest_files)

    def list_test_folders(self) -> list[str]:
        """Return the first-level folders of the test files; `.` for files in the project itself."""
        paths = dict.fromkeys((*self.pytest_files, *self.unittest_files))
        return list(dict.fromkeys(each.partition("/")[0] if "/" in each else "." for each in paths))


def read_source_tree(project: Path) -> SourceTree:
    """Return the test files of a project; links to folders are not followed."""
    tree, walked = SourceTree(), 0
    waiting = deque([("", 0)])
    while waiting:
        folder, depth = waiting.popleft()
        # A name that is no text could be neither shown nor written into a command.
        listed = files.list_folder(project / folder)
        entries = sorted((e for e in listed if e.name.isprintable()), key=lambda each: each.name)
        walked += len(listed)
        if walked > _MOST_ENTRIES:
            break
        names = {entry.name for entry in entries}
        if folder and not _is_below_tests(folder) and has_own_tests(project / folder, names):
            if len(tree.packages) < _MOST_PACKAGES:
                tree.packages.append(folder)
            continue
        for entry in entries:
            path = os.path.join(folder, entry.name)  # noqa: PTH118 -- relative, as text
            if files.is_real_folder(entry):
                if depth < _DEEPEST and _is_source_folder(entry):
                    waiting.append((path, depth + 1))
            elif entry.name.endswith(".py"):
                _add_file(tree, project, path)
    return tree


def _add_file(tree: SourceTree, project: Path, path: str) -> None:
    name = path.rpartition("/")[2]
    is_pytest = bool(TEST_FILE.fullmatch(name))
    if not is_pytest and not (_UNITTEST_FILE.fullmatch(name) and _is_below_tests(path)):
        return
    if is_pytest:
        tree.pytest_files.append(path)
    if len(tree.pytest_files) + len(tree.unittest_files) > _MOST_READ:
        return
    head = files.read_bytes(project / path, _HEAD)
    if _TEST_CASE.search(head) and _UNITTEST_FILE.fullmatch(name):
        tree.unittest_files.append(path)
    tree.has_test_functions = tree.has_test_functions or bool(_TEST_FUNCTION.search(head))


def _is_below_tests(path: str) -> bool:
    return not {*TEST_FOLDERS, "testing"}.isdisjoint(path.split("/"))


def _is_source_folder(entry: os.DirEntry[str]) -> bool:
    if entry.name.startswith(".") or entry.name in _SKIPPED or entry.name.endswith(".egg-info"):
        return False
    return not files.is_file(f"{entry.path}/pyvenv.cfg")
