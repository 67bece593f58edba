"""Weigh what a project's files say about its tests, and choose the command of its suite."""

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.suites.detection.evidence import Evidence, collect_evidence
from orchestrator.suites.detection.interpreters import find_interpreter
from orchestrator.suites.detection.languages import find_other_language
from orchestrator.suites.detection.python_suites import iter_python_suites
from orchestrator.suites.detection.source_tree import MOST_ENTRIES
from orchestrator.suites.detection.suite import COMMAND, DetectedSuite
from orchestrator.suites.detection.task_runners import PACKAGE_SCRIPT
from orchestrator.suites.detection.tools import ToolCommand
from orchestrator.suites.detection.workspaces import is_workspace

_MOST_PACKAGES: Final = 10
_NO_TESTS: Final = DetectedSuite(
    "", "", "", "no tests were found", is_sure=False, is_ambiguous=True,
    hint="add a test that fails, or name a command that checks the project, such as a build or a "
    'linter: --tests "COMMAND"',
)  # fmt: skip


def detect_suite(project: Path, environment: Mapping[str, str]) -> DetectedSuite:
    """Return the command that runs a project's tests, judged by its files.

    Nothing of the project is executed. See `is_sure` for whether a person has to be asked.

    Args:
        project: the project's folder.
        environment: the environment to build that of the project's programs from.
    """
    evidence = collect_evidence(project, environment)
    python = list(iter_python_suites(evidence))
    found = [*python, *_iter_other_suites(evidence, is_python=bool(python))]
    packages = list(_iter_packages(evidence, environment))
    if not found:
        return _ask_for_package(packages) if packages else _describe_search(evidence)
    best, *others = found
    best = replace(best, candidates=(*others, *packages))
    note = _find_untested_part(evidence, others, packages) if python else ""
    return replace(best, reason=f"{best.reason}; {note}").mark_ambiguous() if note else best


def _iter_other_suites(evidence: Evidence, *, is_python: bool) -> Iterator[DetectedSuite]:
    """Yield the commands of tools and task runners that run the project's own tests."""
    for each in evidence.tools:
        if is_python or each.framework == COMMAND:
            yield _build_suite(evidence, each)
    for each in evidence.tasks:
        yield _build_suite(evidence, each)


def _find_untested_part(
    evidence: Evidence, others: list[DetectedSuite], packages: list[DetectedSuite]
) -> str:
    """Return why the tests in Python at the top may be only a part of the tests; empty if not."""
    scripts = [each for each in (*others, *packages) if each.reason == PACKAGE_SCRIPT]
    if scripts:
        where = f" of {scripts[0].folder}/" if scripts[0].folder else ""
        return f"{PACKAGE_SCRIPT}{where} is there too"
    if packages and is_workspace(evidence.project):
        return "the packages of this workspace have tests of their own"
    language, file = find_other_language(evidence.project)
    return f"{file} is there too, and these tests may leave out those in {language}" if file else ""


def _describe_search(evidence: Evidence) -> DetectedSuite:
    if evidence.tree.is_complete:
        return _NO_TESTS
    reason = f"no tests were found among the first {MOST_ENTRIES:,} files and folders"
    hint = 'name the command that runs them: --tests "COMMAND"'
    return replace(_NO_TESTS, reason=reason, hint=hint)


def _build_suite(evidence: Evidence, found: ToolCommand) -> DetectedSuite:
    """Return the suite of a tool, which a person has to confirm."""
    program = found.command.split()[0]
    interpreter = find_interpreter(evidence.project, program, evidence.environment)
    return DetectedSuite(found.framework, found.command, interpreter, found.source, is_sure=False)


def _iter_packages(evidence: Evidence, environment: Mapping[str, str]) -> Iterator[DetectedSuite]:
    for folder in evidence.tree.packages[:_MOST_PACKAGES]:
        inner = detect_suite(evidence.project / folder, environment)
        if inner.command:
            yield replace(inner, folder=folder, candidates=(), is_sure=False)


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
