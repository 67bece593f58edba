"""Find the test files of a project, and the packages below it that have their own.

Walks few folders, those of tools and installed packages left out, and reads the beginning of few
files.
"""

import heapq
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.packages import (
    LARGE_FOLDER,
    TEST_FILE,
    TEST_FOLDERS,
    has_own_tests,
    is_source_folder,
)

MOST_ENTRIES: Final = 20_000
"""Most files and folders that are looked at."""
_DEEPEST: Final = 6
_MOST_PACKAGES: Final = 20
_MOST_READ: Final = 50
"""Most test files that are looked into, and _HEAD bytes of each."""
_HEAD: Final = 64 * 1024

_UNITTEST_FILE: Final = re.compile(r"test.*\.py")
_MODULES_OF_TESTS: Final = ("tests.py", "test.py")
"""Files that are tests wherever they are, as Django writes them; pytest does not collect them."""
_TEST_CASE: Final = re.compile(rb"^\s*class\s+\w+\(.*TestCase\b", re.MULTILINE)
_TEST_FUNCTION: Final = re.compile(rb"^(?:async\s+)?def\s+test|^\s*import\s+pytest", re.MULTILINE)
_ANY_TEST: Final = re.compile(
    rb"\bdef\s+test|\bclass\s+\w*Test|TestCase|^\s*import\s+pytest|\bimport\s+\*", re.MULTILINE
)
_IMPORT: Final = re.compile(rb"^[ \t]*(?:from|import)[ \t]+([A-Za-z_]\w*)", re.MULTILINE)


@dataclass
class SourceTree:
    """The test files of a project, and its packages."""

    pytest_files: list[str] = field(default_factory=list)
    """Files that pytest collects by its defaults, from the project's folder."""
    scripts: set[str] = field(default_factory=set)
    """Those of them that have no test: programs with the name of a test."""
    unittest_files: list[str] = field(default_factory=list)
    """Files with a `unittest.TestCase` that `unittest` finds, also if pytest does not; after many
    of these, all that it finds."""
    has_test_functions: bool = False
    """Whether a file has tests that only pytest runs."""
    imported: set[str] = field(default_factory=set)
    """Names of the modules that the files with a `unittest.TestCase` import."""
    packages: list[str] = field(default_factory=list)
    """Folders below the project with a manifest and tests of their own."""
    is_complete: bool = True
    """Whether all folders were walked that may have tests; False if the project has too many."""

    @property
    def has_python_tests(self) -> bool:
        """Whether there are tests in Python, whoever runs them."""
        return bool(self.pytest_files or self.unittest_files)


def read_source_tree(project: Path) -> SourceTree:
    """Return the test files of a project; links to folders are not followed."""
    tree = SourceTree()
    for folder, entries in _iter_folders(project, tree):
        for entry in entries:
            if entry.name.endswith(".py") and not files.is_folder(entry):
                _add_file(tree, project, f"{folder}/{entry.name}" if folder else entry.name)
    return tree


def _iter_folders(project: Path, tree: SourceTree) -> Iterator[tuple[str, list[os.DirEntry[str]]]]:
    """Yield the folders that belong to the project itself, those of tests first.

    Adds the packages to the tree, and notes if the walk was not complete.
    """
    walked, waiting = 0, [(False, 0, "")]
    while waiting:
        _, depth, folder = heapq.heappop(waiting)
        listed = files.list_folder(project / folder)
        walked += min(len(listed), LARGE_FOLDER)
        if walked > MOST_ENTRIES:
            tree.is_complete = False
            return
        # A name that is no text could be neither shown nor written into a command.
        entries = sorted((e for e in listed if e.name.isprintable()), key=lambda each: each.name)
        names = {entry.name for entry in entries}
        if folder and not _is_below_tests(folder) and has_own_tests(project / folder, names):
            if len(tree.packages) < _MOST_PACKAGES:
                tree.packages.append(folder)
            continue
        yield folder, entries
        if depth == _DEEPEST or (folder and len(listed) > LARGE_FOLDER):
            continue
        for entry in filter(is_source_folder, entries):
            path = f"{folder}/{entry.name}" if folder else entry.name
            heapq.heappush(waiting, (not _is_below_tests(path), depth + 1, path))


def _add_file(tree: SourceTree, project: Path, path: str) -> None:
    name = path.rpartition("/")[2]
    is_pytest = bool(TEST_FILE.fullmatch(name))
    is_unittest = bool(_UNITTEST_FILE.fullmatch(name)) and (
        is_pytest or name in _MODULES_OF_TESTS or _is_below_tests(path)
    )
    if is_pytest:
        tree.pytest_files.append(path)
    if not (is_pytest or is_unittest):
        return
    if len(tree.pytest_files) + len(tree.unittest_files) > _MOST_READ:
        if is_unittest and tree.unittest_files:  # probably like those before
            tree.unittest_files.append(path)
        return
    head = files.read_bytes(project / path, _HEAD)
    if is_pytest and not _ANY_TEST.search(head):
        tree.scripts.add(path)
    if is_unittest and _TEST_CASE.search(head):
        tree.unittest_files.append(path)
        tree.imported.update(each.decode() for each in _IMPORT.findall(head))
    tree.has_test_functions = tree.has_test_functions or bool(_TEST_FUNCTION.search(head))


def _is_below_tests(path: str) -> bool:
    return not {*TEST_FOLDERS, "testing"}.isdisjoint(path.split("/"))
