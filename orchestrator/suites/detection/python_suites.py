"""Build the commands that run tests in Python: pytest, `unittest`, and Django's own."""

import shlex
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Final

from orchestrator.config.schema import TestsSection
from orchestrator.counts import format_count
from orchestrator.platform import files
from orchestrator.platform.packages import TEST_FOLDERS
from orchestrator.suites.detection.evidence import Evidence
from orchestrator.suites.detection.interpreters import (
    find_interpreter,
    has_pytest_script,
    is_installed,
    uses_system_packages,
)
from orchestrator.suites.detection.modules import find_module
from orchestrator.suites.detection.project_files import read_text
from orchestrator.suites.detection.suite import (
    COMMAND,
    PYTEST,
    DetectedSuite,
    is_harmless_command,
)

_DEFAULT: Final = TestsSection().command
_OPTIONS: Final = "-v --tb=short"
_IN_TESTS: Final = "tests/"
_MANAGE: Final = "manage.py"
_CODE_FOLDERS: Final = ("src", "lib")


def iter_python_suites(evidence: Evidence) -> Iterator[DetectedSuite]:
    """Yield the commands that run the project's tests in Python, the best first."""
    tree, virtualenv = evidence.tree, evidence.virtualenv
    is_runnable = virtualenv is None or evidence.has_own_pytest
    by_pytest, by_class = [], []
    if evidence.has_tests_for_pytest:
        suite = _build_pytest_suite(evidence)
        if virtualenv and not is_runnable and not uses_system_packages(virtualenv):
            suite = _name_missing_pytest(suite, evidence.project, virtualenv)
        by_pytest.append(suite)
    is_django = tree.has_python_tests and "django" in read_text(evidence.project / _MANAGE)
    if is_django:
        by_class.append(_build_django_suite(evidence))
    if tree.unittest_files and not (by_pytest and tree.has_test_functions):
        by_class.append(_build_unittest_suite(evidence))
    suits_pytest = is_runnable and (not is_django or _has_django_settings(evidence))
    if tree.has_test_functions or suits_pytest:
        yield from (*by_pytest, *by_class)
    else:
        yield from (*by_class, *by_pytest)


def _build_pytest_suite(evidence: Evidence) -> DetectedSuite:
    arguments, reason = _choose_arguments(evidence)
    program = "pytest"
    if evidence.virtualenv and not has_pytest_script(evidence.virtualenv):
        program = "python -m pytest"
    command = f"{program}{arguments}"
    interpreter = find_interpreter(evidence.project, program.split()[0], evidence.environment)
    return DetectedSuite(PYTEST, command, interpreter, reason, is_sure=True)


def _name_missing_pytest(suite: DetectedSuite, project: Path, virtualenv: Path) -> DetectedSuite:
    """Return the suite of a virtual environment in which no file of pytest was found.

    Pytest may still be found there, by code in a `.pth` file: collecting the cases shows that.
    """
    name = virtualenv.name if virtualenv.parent == project else str(virtualenv)
    return replace(
        suite,
        interpreter=f"{name}/bin/python",
        is_sure=False,
        problem=f"pytest is not installed in {name}",
    )


def _choose_arguments(evidence: Evidence) -> tuple[str, str]:
    """Return pytest's arguments, and why.

    A path is given only where no test would be left out by it.
    """
    config, tree = evidence.config, evidence.tree
    if config and config.testpaths:
        return f" {_OPTIONS}", f"testpaths in {config.file}"
    if config and not tree.pytest_files:
        return f" {_OPTIONS}", f"python_files in {config.file}"
    found = [each for each in tree.pytest_files if each not in tree.scripts] or tree.pytest_files
    reason = f"{format_count(len(found), 'test file')} in {_name_folders(found)}"
    has_other_names = config is not None and config.has_file_names
    if tree.is_complete and not has_other_names and all(p.startswith(_IN_TESTS) for p in found):
        return _DEFAULT.removeprefix("pytest"), reason
    return f" {_OPTIONS}", reason


def _name_folders(paths: list[str]) -> str:
    """Return the first-level folders of some files, the most three of them, for people."""
    folders = dict.fromkeys(f"{each.partition('/')[0]}/" if "/" in each else "" for each in paths)
    names = [each or "the project's folder" for each in folders]
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    *before, last = [*names[:3], *more]
    return f"{', '.join(before)} and {last}" if before else last


def _build_django_suite(evidence: Evidence) -> DetectedSuite:
    """Return Django's own command, which prepares its settings and databases."""
    python = _choose_python(evidence)
    interpreter = find_interpreter(evidence.project, python, evidence.environment)
    command = f"{python} {_MANAGE} test"
    return DetectedSuite(COMMAND, command, interpreter, f"{_MANAGE} of Django", is_sure=False)


def _has_django_settings(evidence: Evidence) -> bool:
    """Return whether pytest is set up for Django."""
    config = evidence.config
    if config is not None and config.has_django_settings:
        return True
    return "django" in read_text(evidence.project / "conftest.py")


def _build_unittest_suite(evidence: Evidence) -> DetectedSuite:
    """Return the command that discovers the classes of `unittest`.

    One command starts at one folder; if that does not reach all of them, a person has to choose.
    """
    project, tree = evidence.project, evidence.tree
    starts = {each: _find_start_folder(project, each) for each in tree.unittest_files}
    count = Counter(starts.values())
    start = max(count, key=lambda each: (each.partition("/")[0] in TEST_FOLDERS, count[each]))
    python = _choose_python(evidence)
    option = f" -s {shlex.quote(start)}" if start else ""
    command = f"{python} -m unittest discover{option} -v"
    reason = f"classes of unittest in {next(p for p in starts if starts[p] == start)}"
    if code := _find_code_folder(evidence):
        command = f"PYTHONPATH={code} {command}"
        reason += f"; the code in {code}/ is not installed"
    others = [path for path, folder in starts.items() if folder != start]
    if others:
        reason += f"; it does not run {others[0]}"
    return DetectedSuite(
        COMMAND,
        command,
        find_interpreter(project, python, evidence.environment),
        reason,
        is_sure=not others and is_harmless_command(command),
        is_ambiguous=bool(others),
    )


def _find_start_folder(project: Path, path: str) -> str:
    """Return the folder from which `unittest discover` reaches a file; empty for the project.

    From where it starts, it enters packages only: folders with an `__init__.py`.
    """
    folder = PurePosixPath(path).parent
    while folder.name and files.is_file(project / folder / "__init__.py"):
        folder = folder.parent
    return folder.as_posix() if folder.name else ""


def _find_code_folder(evidence: Evidence) -> str:
    """Return the folder of code that the classes of `unittest` import; empty if it is installed."""
    for folder in _CODE_FOLDERS:
        for name in sorted(evidence.tree.imported - sys.stdlib_module_names):
            if find_module(evidence.project, name, (folder,)) is None:
                continue
            if not is_installed(evidence.virtualenv, evidence.project / folder, name):
                return folder
    return ""


def _choose_python(evidence: Evidence) -> str:
    """Return the name by which Python is found."""
    names = ("python", "python3")
    found = (
        each for each in names if find_interpreter(evidence.project, each, evidence.environment)
    )
    return next(found, names[0])
