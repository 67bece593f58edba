"""Finds new files that shadow modules on which the verdict rests.

Python imports the first module of a name on `sys.path`: a new file in an early folder replaces a
module of the standard library, an installed package, the code under test or a helper without a
change to any of them. Such files are reported, and not removed.
"""

import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.guard.path_rules import is_test
from orchestrator.guard.protection import Protection, SearchFolder, normalize_name
from orchestrator.guard.search_path import iter_modules, resolve_module
from orchestrator.models import Finding, FindingKind
from orchestrator.platform import files

_COMPILED: Final = (".so", ".pyd", ".pyc")
_SOURCES: Final = frozenset(
    {
        *(".py", ".pyx", ".pxd", ".c", ".cc", ".cpp", ".cxx", ".m", ".rs", ".f", ".f90", ".f77"),
        *(".go", ".zig", ".d", ".nim"),
    }
)
_BUILDS: Final = frozenset({"setup.py", "pyproject.toml", "meson.build", "CMakeLists.txt"})


def iter_shadowing_findings(protection: Protection, new: Collection[str]) -> Iterator[Finding]:
    """Yield a finding for each new file that shadows a module.

    Args:
        protection: the rules of the project.
        new: names of the files that did not exist when the attempt started.
    """
    found: dict[tuple[str, str], str] = {}
    folders = _collect_search_folders(protection, new)
    reserved = protection.reserved - {PurePosixPath(test).stem for test in protection.tests}
    for name in sorted(new):
        if protection.is_free(name):
            continue
        for folder, known in folders.items():
            if folder and not name.startswith(f"{folder}/"):
                continue
            module = resolve_module(name, folder)
            if module and (
                text := _describe_shadow(protection, folder, module, name, known, reserved)
            ):
                found.setdefault((folder, module), text)
    for (folder, module), text in found.items():
        where = f"{folder}/{module}" if folder else module
        yield Finding(FindingKind.SUSPICIOUS, where, text, decisive=True)
    yield from _iter_outside_findings(protection)


def iter_sourceless_findings(
    protection: Protection, names: Collection[str], changed: Collection[str]
) -> Iterator[Finding]:
    """Yield a finding for each new or changed compiled module without its source.

    Args:
        protection: the rules of the project.
        names: the names of all files.
        changed: names of the files that are new or changed.
    """
    compiled = [name for name in changed if name.endswith(_COMPILED)]
    if not compiled:
        return
    builds = [name for name in names if PurePosixPath(name).name in _BUILDS]
    stems = {_extract_stem(each) for each in names if PurePosixPath(each).suffix in _SOURCES}
    for name in compiled:
        if name.endswith(".pyc"):
            beside = f"{name.removesuffix('.pyc')}.py"
            known = beside in names
        else:
            stem = _extract_stem(name)
            known = stem in stems or any(
                stem in files.read_text(protection.project / each) for each in builds
            )
        if not known and not protection.is_free(name):
            text = "a compiled module without its source"
            yield Finding(FindingKind.SUSPICIOUS, name, text, decisive=True)


def _extract_stem(name: str) -> str:
    return PurePosixPath(name).name.partition(".")[0]


def _collect_search_folders(
    protection: Protection, new: Iterable[str]
) -> dict[str, frozenset[str]]:
    """Return the project's folders in which Python finds modules, with their former modules."""
    found = {
        normalize_name(protection.project, each.path): each.names
        for each in protection.search
        if not each.installed and _is_inside(protection.project, each.path)
    }
    found = {"" if name == os.fspath(protection.project) else name: n for name, n in found.items()}
    for name in new:
        folder = name.rpartition("/")[0]
        # pytest adds the folder of a new test to `sys.path`, unless it is part of a package.
        package = files.exists(protection.project / folder / "__init__.py")
        if is_test(name) and folder not in found and not package:
            found[folder] = frozenset()
    return found


def _describe_shadow(
    protection: Protection,
    folder: str,
    module: str,
    name: str,
    known: Collection[str],
    reserved: Collection[str],
) -> str:
    """Return which module a new file shadows, as text; empty if none."""
    rest = name[len(folder) + 1 :] if folder else name
    first, _, deeper = rest.partition("/")
    if module in known:
        return _describe_replacement(protection.project / folder, first, module, deeper)
    if module not in reserved or (module == "conftest" and first == "conftest.py"):
        return ""
    base = PurePosixPath(name).name
    if deeper and (is_test(name) or base in ("conftest.py", "__init__.py")):
        # A folder of new tests may have the name of the package that they test: without an
        # `__init__.py` it is a namespace package, which Python uses only if it finds no other.
        initial = files.exists(protection.project / folder / first / "__init__.py")
        if not initial:
            return ""
        if folder and files.exists(protection.project / folder / "__init__.py"):
            return ""
    return f"new, and found before the module {module} that the tests rest on"


def _describe_replacement(folder: Path, first: str, module: str, deeper: str) -> str:
    """Return how a new file replaces another form of an existing module, as text.

    In one folder, Python prefers a package `name/__init__.py`, then an extension module `name.so`,
    then `name.py`, then `name.pyc`, and a folder `name/` without an `__init__.py` last.
    """
    plain = files.is_file(folder / f"{module}.py")
    package = files.is_file(folder / module / "__init__.py")
    if deeper:
        replaces = plain and deeper.partition(".")[0] == "__init__"
    elif first.endswith(_COMPILED):
        replaces = not first.endswith(".pyc") or not (plain or package)
    else:
        in_folder = not package and files.is_folder(folder / module)
        replaces = in_folder and first == f"{module}.py"
    return f"new, and found in the place of the module {module}" if replaces else ""


def _iter_outside_findings(protection: Protection) -> Iterator[Finding]:
    """Yield findings for search folders outside of the project that are no site folders."""
    for each in protection.search:
        if each.installed or _is_inside(protection.project, each.path):
            continue
        yield from _iter_new_modules(each, protection.reserved)


def _iter_new_modules(folder: SearchFolder, reserved: Collection[str]) -> Iterator[Finding]:
    for module in sorted(set(iter_modules(Path(folder.path))) - folder.names):
        if module in reserved and module != "conftest":
            text = f"new, and found before the module {module} that the tests rest on"
            yield Finding(FindingKind.SUSPICIOUS, f"{folder.path}/{module}", text, decisive=True)


def _is_inside(project: Path, path: str) -> bool:
    return Path(path).is_relative_to(project)
