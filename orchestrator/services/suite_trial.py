"""Try a detected suite as far as that is possible without running a test.

Whether pytest can import the project is found out by letting it collect the cases.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.events import Listener, StepStarted
from orchestrator.platform import files
from orchestrator.suites.command_line import ignore_event
from orchestrator.suites.declared_packages import read_declared_packages
from orchestrator.suites.detection import DetectedSuite
from orchestrator.suites.detection.modules import find_module
from orchestrator.suites.detection.suite import COMMAND, PYTEST, is_harmless_command
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.installing import advise_install, is_borrowed_interpreter
from orchestrator.suites.pytest.collection import Collection
from orchestrator.suites.pytest.suite import PytestSuite
from orchestrator.verdict.suite_obstacle import describe_writing, is_part_of_project

COLLECTING_SECONDS: Final = 60.0
"""Longest time for collecting the cases, before a command is used as it is."""
_MOST_FOLDERS: Final = 200


@dataclass(frozen=True)
class TriedSuite:
    """A detected suite, as far as it can be tried without running a test."""

    suite: DetectedSuite
    """With what was found out; it has a problem if it cannot be used as it is."""
    collection: Collection | None = None
    """What pytest collected; None for another framework, or if it could not be started."""


def try_suite(
    suite: DetectedSuite,
    project: Path,
    environment: Mapping[str, str],
    task: str = "",
    *,
    is_confirmed: bool = False,
    listener: Listener = ignore_event,
) -> TriedSuite:
    """Let pytest collect the cases of a suite, with the folder of the code if it is not installed.

    Args:
        suite: the detected suite; another framework than pytest is not tried.
        project: the project's real path.
        environment: the environment of the user.
        task: the task's text; empty if there is none yet.
        is_confirmed: whether a person has agreed that the command is executed. Otherwise one that
            runs what the repository says, such as `make test`, is not: not even to collect.
        listener: receives that collecting starts.
    """
    if suite.framework != PYTEST or suite.folder:
        return TriedSuite(suite)
    if not is_confirmed and not is_harmless_command(suite.command):
        return TriedSuite(suite)
    try:
        first = collect_cases(suite.command, project, environment, listener)
    except LoopError as error:
        problem = suite.problem or error.message
        return TriedSuite(suite.mark_ambiguous(problem, error.hint, error.command))
    if needs_exit_code(suite.command, first):
        return TriedSuite(use_exit_code(suite))
    suite = _withdraw_problem(suite)
    tried = TriedSuite(_set_interpreter(suite, project, first), first)
    other = _try_import_folders(tried, project, environment)
    return _judge(other or tried, project, environment, task)


def needs_exit_code(command: str, found: Collection) -> bool:
    """Return whether a command starts a pytest that cannot report its cases, as in a container."""
    return found.is_unreached and not is_harmless_command(command)


def use_exit_code(suite: DetectedSuite) -> DetectedSuite:
    """Return a suite whose exit code is the verdict."""
    reason = f"{suite.reason}; its pytest does not report the cases, so the exit code decides"
    return replace(suite, framework=COMMAND, interpreter="", reason=reason)


def describe_collection(found: Collection) -> str:
    """Return how many cases were collected, or why they were not counted."""
    if not found.is_counted:
        limit = f"{COLLECTING_SECONDS:g} s"
        return f"its cases were not counted: collecting takes longer than {limit}"
    return format_count(found.count, "case")


def collect_cases(
    command: str,
    project: Path,
    environment: Mapping[str, str],
    listener: Listener = ignore_event,
) -> Collection:
    """Let pytest collect the cases that a command runs.

    Args:
        command: the command.
        project: the project's real path.
        environment: the environment of the user.
        listener: receives that collecting starts.

    Raises:
        UsageError: the command cannot be parsed.
        InfrastructureError: its program does not exist, or pytest is not installed.
    """
    suite = PytestSuite(
        command,
        COLLECTING_SECONDS,
        lambda folder: build_project_environment(folder, environment),
    )
    suite.preflight(project)
    listener(StepStarted("collecting the tests"))
    return suite.collect(project)


def _try_import_folders(
    first: TriedSuite, project: Path, environment: Mapping[str, str]
) -> TriedSuite | None:
    """Return the suite with the folder of the project's code to import from, if that helps."""
    suite, found = first.suite, first.collection
    missing = found.list_missing_modules() if found else []
    for folder in _find_import_folders(project, missing):
        command = f"PYTHONPATH={folder} {suite.command}"
        if found is None or not is_harmless_command(command):
            continue
        other = collect_cases(command, project, environment)
        # A file whose first import now works may miss another module, so numbers say little.
        contained = {each for each in missing if find_module(project, each, (folder,))}
        helps = contained.isdisjoint(other.list_missing_modules())
        if helps and other.outcome is None and other.count >= found.count:
            reason = f"{suite.reason}; the code in {folder}/ is not installed"
            better = replace(suite, command=command, reason=reason)
            return TriedSuite(_set_interpreter(better, project, other), other)
    return None


def _withdraw_problem(suite: DetectedSuite) -> DetectedSuite:
    """Return a suite whose pytest was started without the problem that its files seemed to show."""
    if not suite.problem:
        return suite
    return replace(suite, problem="", is_sure=not suite.is_ambiguous)


def _set_interpreter(suite: DetectedSuite, project: Path, found: Collection) -> DetectedSuite:
    """Return the suite with the interpreter that did run pytest, inside the project relative."""
    if not found.interpreter.isprintable() or not found.interpreter:  # the tests may have set it
        return suite
    path = Path(found.interpreter)
    inside = path.relative_to(project) if path.is_relative_to(project) else path
    return replace(suite, interpreter=str(inside))


def _judge(
    tried: TriedSuite, project: Path, environment: Mapping[str, str], task: str
) -> TriedSuite:
    """Return the suite, which is not sure if pytest cannot work with the command as it is."""
    suite, found = tried.suite, tried.collection
    if found is None or found.is_clean or not found.is_counted:
        return tried
    missing = found.list_missing_modules()
    others = [each for each in suite.candidates if not is_harmless_command(each.command)]
    foreign = [each for each in missing if not is_part_of_project(each, project, task)]
    is_borrowed = is_borrowed_interpreter(suite.interpreter, environment)
    if foreign and (is_borrowed or read_declared_packages(project).has_any):
        advice = advise_install(project, suite.interpreter, foreign, environment)
        written = describe_writing(foreign[0], project) if task else ""
        problem = f"no module {foreign[0]} in its environment"
        unsure = replace(
            suite,
            is_sure=False,
            is_ambiguous=bool(others),
            problem=problem,
            has_cases=bool(found.count),
            hint="; ".join(filter(None, (advice.hint, written))),
            repair=advice.command,
        )
        return replace(tried, suite=unsure)
    problem = ""
    if missing and others:
        problem = f"no module {missing[0]} in its environment"
    elif not found.count and not found.failures:
        problem = "pytest collects no test"
        if found.outcome is not None:
            problem = f"pytest ends with: {found.describe_problem()}"
    if not problem:  # a task may be to repair the files that cannot be imported, or to write them
        return tried
    return replace(tried, suite=suite.mark_ambiguous(problem))


def _find_import_folders(project: Path, modules: list[str]) -> list[str]:
    """Return the folders in the project that contain one of the modules, from the project."""
    entries = files.list_folder(project)[:_MOST_FOLDERS]
    names = sorted(entry.name for entry in entries if files.is_real_folder(entry))
    folders = [".", *(name for name in ("src", "lib") if name in names), *names]
    return [
        folder
        for folder in dict.fromkeys(folders)
        if not folder.startswith("..")
        and any(find_module(project, name, (folder,)) for name in modules)
    ][:2]
