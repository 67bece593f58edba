"""Finds a module that the project declares and that is not installed: no fault of the code.

The experiment alone would blame the attempt, which was asked to use a package and declared it. Only
declared dependencies count, and no module that the project has or had itself. So "install it" is
never advised for an invented name, or for a package of the project that was moved.
"""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from orchestrator.models import Case, FileChange
from orchestrator.platform import files
from orchestrator.suites.declared_packages import read_declared_packages
from orchestrator.suites.detection.modules import find_module
from orchestrator.verdict.missing_modules import find_missing_modules


def find_missing_dependency(
    cases: Iterable[Case], project: Path, changes: Iterable[FileChange] = ()
) -> str:
    """Return the declared module whose absence makes all cases fail; empty if there is none."""
    missing = {_find_missing_module(case) for case in cases}
    if len(missing) != 1 or "" in missing:
        return ""
    module = missing.pop()
    is_declared = read_declared_packages(project).contains(module)
    is_known = is_declared and not _is_own(module, project, changes)
    return module if is_known else ""


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
    folders = [each.name for each in files.find_paths(project, "*") if files.is_folder(each)]
    return find_module(project, module, ("", *folders)) is not None
