"""Finds the folders in which the suite's Python searches for modules."""

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.guard.protection import SearchFolder
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files

_MODULE: Final = re.compile(r"([A-Za-z_]\w*)(?:\.py|\.pyc|\.(?:[\w-]+\.)?so|\.pyd)$")


def find_search_folders(
    project: Path, footprint: Footprint | None, tests: Collection[str]
) -> tuple[SearchFolder, ...]:
    """Return the folders that hold modules now, in search order.

    Args:
        project: the project's real folder.
        footprint: what the suite recorded; without it the folders are guessed.
        tests: names of the files with cases.
    """
    paths = list(footprint.search_path) if footprint else list(_iter_guessed_paths(project, tests))
    sites = set(footprint.site_folders) if footprint else set()
    found = []
    for path in dict.fromkeys(os.path.realpath(project / each) for each in paths):
        installed = path in sites or _is_standard(path, project)
        found.append(SearchFolder(path, frozenset(iter_modules(Path(path))), installed))
    return tuple(found)


def iter_modules(folder: Path) -> Iterator[str]:
    """Yield the names under which something in a folder can be imported."""
    for item in files.list_folder(folder):
        if match := _MODULE.match(item.name):
            yield match[1]
        elif item.name.isidentifier() and files.is_folder(item) and item.name != "__pycache__":
            yield item.name


def resolve_module(name: str, folder: str) -> str:
    """Return the top-level module that a file adds to a search folder; empty if none.

    Args:
        name: the file's name.
        folder: the search folder's name; empty for the project's own folder.
    """
    rest = name[len(folder) + 1 :] if folder else name
    first, _, deeper = rest.partition("/")
    if deeper:
        module = deeper.endswith((".py", ".pyc", ".so"))
        return first if module and first.isidentifier() else ""
    match = _MODULE.match(first)
    return match[1] if match else ""


def _iter_guessed_paths(project: Path, tests: Collection[str]) -> Iterator[str]:
    yield os.fspath(project)
    if files.is_folder(project / "src"):
        yield os.fspath(project / "src")
    # pytest puts the folder of each test that is in no package on `sys.path`.
    for name in sorted({str(PurePosixPath(test).parent) for test in tests}):
        if not files.exists(project / name / "__init__.py"):
            yield os.fspath(project / name)


def _is_standard(path: str, project: Path) -> bool:
    """Return whether a folder belongs to a Python installation outside of the project."""
    inside = Path(path).is_relative_to(project)
    return not inside and re.search(r"/lib(?:64)?/python3[^/]*(?:/|$)", path) is not None
