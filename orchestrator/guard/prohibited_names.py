"""Finds the names that no new file may have: environments, programs, package roots, modules."""

import os
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from orchestrator.guard import path_rules
from orchestrator.guard.protection import (
    ANY_VIRTUALENV,
    GuardedFile,
    SearchFolder,
    normalize_name,
)
from orchestrator.guard.tree import NEVER_ENTERED
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.platform.packages import VIRTUALENV_MARK
from orchestrator.suites.environment import find_virtualenv, list_virtualenv_candidates


def iter_package_roots(project: Path, tests: Iterable[str]) -> Iterator[str]:
    """Yield each `__init__.py` whose creation would change what pytest puts on `sys.path`.

    In its import mode "prepend", pytest inserts the first folder above a test that has no
    `__init__.py`. A new `__init__.py` there moves the insertion one folder up, and with it the
    names of the tests' modules and where they find others. The project's own folder is always
    among them: a test in a new package is named from there.
    """
    folders = {project}
    for test in tests:
        folder = (project / test).parent
        if not files.is_file(folder / "__init__.py"):
            continue  # the agent may turn a folder of tests into a package
        while files.is_file(folder / "__init__.py") and folder != folder.parent:
            folder = folder.parent
        folders.add(folder)
    for folder in sorted(folders):
        if not files.exists(folder / "__init__.py"):
            yield normalize_name(project, folder / "__init__.py")


def iter_environment_names(project: Path) -> Iterator[str]:
    """Yield where a new environment would be used instead of the one that the suite runs in."""
    own = find_virtualenv(project)
    candidates = list_virtualenv_candidates(project)
    if own not in candidates or own.parent != project:  # any folder of the project has precedence
        yield ANY_VIRTUALENV
        yield from (f"{name}/{VIRTUALENV_MARK}" for name in sorted(NEVER_ENTERED))
    for folder in candidates:
        if own == folder:
            return
        if not files.exists(folder / VIRTUALENV_MARK):
            yield normalize_name(project, folder / VIRTUALENV_MARK)


def find_program_shadows(project: Path, path: str, programs: Collection[str]) -> Mapping[str, str]:
    """Return where a new file would be found on the PATH before a program of the command.

    Args:
        project: the project's folder, from which relative entries of the PATH start.
        path: the command's PATH.
        programs: names of the programs that the command starts.

    Returns:
        The reason for each name.
    """
    found: dict[str, str] = {}
    for program in sorted({*programs} | {"sh", "env", "python", "python3"}):
        for folder in path.split(os.pathsep):
            full = project / (folder or ".")
            if files.exists(full / program):
                break
            found[normalize_name(project, full / program)] = f"would be run as {program}"
    return found


def collect_reserved_modules(
    footprint: Footprint | None,
    guarded: Mapping[str, GuardedFile],
    folders: Iterable[SearchFolder],
) -> frozenset[str]:
    """Return the names of modules that no new file may have."""
    standard = footprint.standard_modules if footprint else tuple(sys.stdlib_module_names)
    installed = {name for each in folders if each.installed for name in each.names}
    if footprint is None:
        installed = {*installed, *path_rules.RUNNERS}
    helpers = {
        PurePosixPath(name).parts[-2 if name.endswith("/__init__.py") else -1].partition(".")[0]
        for name in guarded
        if name.endswith(".py") and "/" in name
    }
    own = {name for each in folders if not each.installed for name in each.names}
    return frozenset({*standard, *installed, *helpers, *own, "conftest"} - {"__init__"})
