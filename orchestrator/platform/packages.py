"""Recognize a folder that is a package of its own, by its manifest and its tests."""

import json
import os
import re
from collections import deque
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from orchestrator.platform import files
from orchestrator.platform.bom import split_bom

_PACKAGE_JSON: Final = "package.json"
_PYTHON_MANIFESTS: Final = ("pyproject.toml", "setup.py", "setup.cfg")
MANIFESTS: Final = (*_PYTHON_MANIFESTS, _PACKAGE_JSON)
"""Files that make a folder a package of its own."""

TEST_FOLDERS: Final = ("tests", "test")
TEST_FILE: Final = re.compile(r"test_.*\.py|.*_test\.py")
"""Names of the files that pytest collects by default."""

VIRTUALENV_MARK: Final = "pyvenv.cfg"
"""The file that marks a folder as a virtual environment."""

READ_LIMIT: Final = 256 * 1024
"""Most bytes that are read of a file that describes a package."""

_SKIPPED: Final = frozenset(
    {
        *("node_modules", "venv", "env", "build", "dist", "site-packages", "__pycache__", "target"),
        *("vendor", "third_party", "htmlcov", "htmldoc"),
    }
)
LARGE_FOLDER: Final = 2_000
"""A folder with more entries contains data: only its own files may be tests, not those below."""
_MOST_ENTRIES: Final = 10_000
_DEEPEST: Final = 5
"""Bounds of the search for a test in one package."""
_NO_TEST: Final = "no test specified"
"""Part of the script that `npm init` writes."""


def has_own_tests(folder: Path, names: set[str] | None = None) -> bool:
    """Return whether a folder is a package with tests of its own.

    Python files that are tests, or a folder for them, may be anywhere in it, except in a package
    below. A package of JavaScript has tests if it says how to run them.

    Args:
        folder: the folder.
        names: the names of its entries, if they are known.
    """
    if names is None:
        names = {entry.name for entry in files.list_folder(folder)}
    if names.isdisjoint(MANIFESTS):
        return False
    if _PACKAGE_JSON in names and read_test_script(folder):
        return True
    return _contains_tests(folder, folders_count=not names.isdisjoint(_PYTHON_MANIFESTS))


def read_test_script(folder: Path) -> str:
    """Return `scripts.test` of a package.json; empty if it has none, or that of `npm init`."""
    scripts = read_package_json(folder).get("scripts")
    script = scripts.get("test") if isinstance(scripts, dict) else None
    if not isinstance(script, str) or _NO_TEST in script:
        return ""
    return script.strip()


def read_package_json(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's package.json; empty if it cannot be parsed."""
    try:
        content = json.loads(split_bom(files.read_text(folder / _PACKAGE_JSON, READ_LIMIT))[1])
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def is_source_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether a folder may contain a project's own code; links are not followed."""
    name = entry.name
    if name.startswith(".") or name in _SKIPPED or name.endswith(".egg-info"):
        return False
    return files.is_real_folder(entry) and not is_virtualenv(Path(entry.path))


def is_virtualenv(folder: Path) -> bool:
    """Return whether a folder is a virtual environment of Python (PEP 405)."""
    return files.is_file(folder / VIRTUALENV_MARK)


def _contains_tests(package: Path, *, folders_count: bool) -> bool:
    """Return whether there is a test in a package, as far as a short search finds one."""
    waiting, walked = deque([(os.fspath(package), 0)]), 0
    while waiting and walked < _MOST_ENTRIES:
        folder, depth = waiting.popleft()
        entries = files.list_folder(folder)
        walked += min(len(entries), LARGE_FOLDER)
        if depth and _has_manifest(entries):
            continue
        if any(_is_test(each, folders_count) for each in entries):
            return True
        if depth < _DEEPEST and (not depth or len(entries) <= LARGE_FOLDER):
            waiting.extend((each.path, depth + 1) for each in entries if is_source_folder(each))
    return False


def _is_test(entry: os.DirEntry[str], folders_count: bool) -> bool:
    if TEST_FILE.fullmatch(entry.name):
        return not files.is_folder(entry)
    return folders_count and entry.name in TEST_FOLDERS and files.is_folder(entry)


def _has_manifest(entries: Iterable[os.DirEntry[str]]) -> bool:
    return any(each.name in MANIFESTS for each in entries)
