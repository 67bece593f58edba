"""Weigh what a project's files say about its tests, and choose the command of its suite."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.config.schema import TestsSection
from orchestrator.counts import format_count
from orchestrator.platform import files
from orchestrator.suites.detection.interpreters import (
    find_interpreter,
    has_pytest,
    has_pytest_script,
)
from orchestrator.suites.detection.pytest_config import PytestConfig, find_pytest_config
from orchestrator.suites.detection.source_tree import SourceTree, read_source_tree
from orchestrator.suites.detection.suite import (
    COMMAND,
    PYTEST,
    DetectedSuite,
    is_harmless_command,
)
from orchestrator.suites.detection.task_runners import PACKAGE_SCRIPT, list_task_commands
from orchestrator.suites.detection.tools import ToolCommand, list_tool_commands
from orchestrator.suites.detection.workspaces import is_workspace
from orchestrator.suites.environment import build_project_environment, find_virtualenv

_DEFAULT: Final = TestsSection().command
_OPTIONS: Final = "-v --tb=short"
_MOST_PACKAGES: Final = 10
_NO_TESTS: Final = DetectedSuite(
    "", "", "", "no tests were found", is_sure=False, is_ambiguous=True,
    hint="add a test that fails, or name a command that checks the project, such as a build or a "
    'linter: --tests "COMMAND"',
)  # fmt: skip


@dataclass(frozen=True)
class _Evidence:
    """What the files of a project say."""

    project: Path
    environment: Mapping[str, str]
    """The whole environment of the project's programs."""
    config: PytestConfig | None
    tree: SourceTree
    tools: tuple[ToolCommand, ...]
    tasks: tuple[ToolCommand, ...]
    virtualenv: Path | None

    @property
    def has_own_pytest(self) -> bool:
        return self.virtualenv is not None and has_pytest(self.virtualenv)

    @property
    def has_tests_for_pytest(self) -> bool:
        config = self.config
        named = config is not None and bool(config.testpaths or config.has_file_names)
        return named or bool(self.tree.pytest_files)


def detect_suite(project: Path, environment: Mapping[str, str]) -> DetectedSuite:
    """Return the command that runs a project's tests, judged by its files.

    Nothing of the project is executed. See `is_sure` for whether a person has to be asked.

    Args:
        project: the project's folder.
        environment: the environment to build that of the project's programs from.
    """
    evidence = _collect_evidence(project, environment)
    found = list(_iter_suites(evidence))
    packages = list(_iter_packages(evidence, environment))
    if not found:
        return _ask_for_package(packages) if packages else _NO_TESTS
    best, *others = found
    best = replace(best, candidates=(*others, *packages))
    # Tests in two languages, or a workspace: each of the commands would check one part.
    other = next((each for each in others if each.reason == PACKAGE_SCRIPT), None)
    if other and evidence.has_tests_for_pytest:
        return _make_ambiguous(best, f"but also {other.reason}")
    if packages and is_workspace(project):
        return _make_ambiguous(best, "but the packages of this workspace have tests of their own")
    return best


def _collect_evidence(project: Path, environment: Mapping[str, str]) -> _Evidence:
    env = build_project_environment(project, environment)
    return _Evidence(
        project,
        env,
        find_pytest_config(project),
        read_source_tree(project),
        tuple(list_tool_commands(project, env)),
        tuple(list_task_commands(project, env)),
        find_virtualenv(project),
    )


def _iter_suites(evidence: _Evidence) -> Iterator[DetectedSuite]:
    """Yield the commands that run the project's own tests, the best first."""
    tools = [_build_suite(evidence, each) for each in evidence.tools]
    tasks = [_build_suite(evidence, each) for each in evidence.tasks]
    python = list(_iter_python_suites(evidence))
    if not (python or evidence.tree.has_python_tests):
        tools = [each for each in tools if each.framework == COMMAND]
    yield from (*python, *tools, *tasks)


def _iter_python_suites(evidence: _Evidence) -> Iterator[DetectedSuite]:
    tree = evidence.tree
    unittest = _build_unittest_suite(evidence) if tree.unittest_files else None
    if not evidence.has_tests_for_pytest:
        if unittest:
            yield unittest
        return
    if evidence.virtualenv and not evidence.has_own_pytest:
        if unittest and not tree.has_test_functions:
            yield unittest
        yield _build_pytest_without_runner(evidence, evidence.virtualenv)
        return
    yield _build_pytest_suite(evidence)
    if unittest and not tree.has_test_functions:
        yield unittest


def _build_pytest_suite(evidence: _Evidence) -> DetectedSuite:
    arguments, reason = _choose_arguments(evidence)
    program = "pytest"
    if evidence.virtualenv and not has_pytest_script(evidence.virtualenv):
        program = "python -m pytest"
    command = f"{program}{arguments}"
    interpreter = find_interpreter(evidence.project, program.split()[0], evidence.environment)
    return DetectedSuite(PYTEST, command, interpreter, reason, is_sure=True)


def _choose_arguments(evidence: _Evidence) -> tuple[str, str]:
    """Return pytest's arguments, and why."""
    config, folders = evidence.config, evidence.tree.list_test_folders()
    if config and config.testpaths:
        return f" {_OPTIONS}", f"testpaths in {config.file}"
    count = len(evidence.tree.pytest_files)
    if config and not count:
        return f" {_OPTIONS}", f"python_files in {config.file}"
    counted = format_count(count, "test file")
    if "tests" in folders:
        return _DEFAULT.removeprefix("pytest"), f"{counted} in tests/" + _name_others(folders)
    where = ", ".join("the project's folder" if each == "." else f"{each}/" for each in folders[:3])
    return f" {_OPTIONS}", f"{counted} in {where}"


def _name_others(folders: list[str]) -> str:
    others = [f"{each}/" for each in folders if each not in ("tests", ".")]
    return f" and {', '.join(others[:3])}; only tests/ is run" if others else ""


def _build_pytest_without_runner(evidence: _Evidence, virtualenv: Path) -> DetectedSuite:
    arguments, reason = _choose_arguments(evidence)
    name = virtualenv.name if virtualenv.parent == evidence.project else str(virtualenv)
    python = f"{name}/bin/python"
    return DetectedSuite(
        PYTEST,
        f"python -m pytest{arguments}",
        python,
        reason,
        is_sure=False,
        is_ambiguous=True,
        problem=f"pytest is not installed in {name}",
    )


def _build_unittest_suite(evidence: _Evidence) -> DetectedSuite:
    folder = evidence.tree.list_test_folders()[0]
    is_package = folder == "." or files.is_file(evidence.project / folder / "__init__.py")
    start = "" if is_package else f" -s {folder}"
    env, project = evidence.environment, evidence.project
    python = next((p for p in ("python", "python3") if find_interpreter(project, p, env)), "python")
    command = f"{python} -m unittest discover{start} -v"
    return DetectedSuite(
        COMMAND,
        command,
        find_interpreter(project, python, env),
        f"classes of unittest in {evidence.tree.unittest_files[0]}",
        is_sure=is_harmless_command(command),
    )


def _build_suite(evidence: _Evidence, found: ToolCommand) -> DetectedSuite:
    """Return the suite of a tool, which a person has to confirm."""
    program = found.command.split()[0]
    interpreter = find_interpreter(evidence.project, program, evidence.environment)
    return DetectedSuite(found.framework, found.command, interpreter, found.source, is_sure=False)


def _iter_packages(evidence: _Evidence, environment: Mapping[str, str]) -> Iterator[DetectedSuite]:
    for folder in evidence.tree.packages[:_MOST_PACKAGES]:
        inner = detect_suite(evidence.project / folder, environment)
        if inner.command:
            yield replace(
                inner, folder=folder, candidates=(), is_sure=False, reason=f"{inner.reason}"
            )


def _ask_for_package(packages: list[DetectedSuite]) -> DetectedSuite:
    names = ", ".join(each.folder for each in packages)
    first = packages[0].folder
    return replace(
        _NO_TESTS,
        reason=f"the tests are in packages below: {names}",
        hint=f"work on one of them: cd {shlex.quote(first)} (or --project-dir); or name a command "
        'that tests them all: --tests "COMMAND"',
        candidates=tuple(packages),
    )


def _make_ambiguous(suite: DetectedSuite, note: str) -> DetectedSuite:
    return replace(suite, is_sure=False, is_ambiguous=True, reason=f"{suite.reason}, {note}")
