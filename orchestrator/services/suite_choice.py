"""Choose the command of a project's suite: the configured one, or the one that is detected.

Whether pytest can import the project is found out by letting it collect the cases.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.config import Config, LoadedConfig, Override
from orchestrator.counts import format_count
from orchestrator.errors import ConfigError, LoopError
from orchestrator.events import Listener, Notice
from orchestrator.models import SuiteOutcome
from orchestrator.platform import files
from orchestrator.suites.command_line import parse_command
from orchestrator.suites.detection import DetectedSuite, detect_suite, infer_framework
from orchestrator.suites.detection.suite import PYTEST, is_harmless_command
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.pytest.collection import Collection
from orchestrator.suites.pytest.suite import PytestSuite

COLLECTING_SECONDS: Final = 60.0
"""Longest time for collecting the cases, before a command is used as it is."""
_MOST_FOLDERS: Final = 200
_ORIGIN: Final = "detected"


@dataclass(frozen=True)
class TriedSuite:
    """A detected suite, as far as it can be tried without running a test."""

    suite: DetectedSuite
    """The command that collected the most; no longer sure if it cannot be used as it is."""
    collection: Collection | None = None
    """What pytest collected; None for another framework, or if it could not be started."""


def build_test_overrides(command: str) -> tuple[Override, ...]:
    """Return the settings for a test command from the command line.

    Raises:
        UsageError: it cannot be parsed, or has a pipe.
    """
    parse_command(command)
    origin = "command line --tests"
    framework = infer_framework(command)
    return (
        Override("tests.command", command, origin),
        Override("tests.framework", framework, origin),
    )


@dataclass(frozen=True)
class ChosenSuite:
    """The configuration with the command of the suite, and how that was found."""

    loaded: LoadedConfig
    notice: str = ""
    """What was detected, in one line; empty if the command is configured."""
    collection: Collection | None = None
    """What pytest collected for that; None if it was not asked."""


def choose_suite(
    loaded: LoadedConfig, project: Path, environment: Mapping[str, str], listener: Listener
) -> LoadedConfig:
    """Return the configuration with the command of the suite; a configured one has precedence.

    Args:
        loaded: the configuration.
        project: the project's real path.
        environment: the environment of the user.
        listener: receives a notice of what was detected.

    Raises:
        ConfigError: nothing is configured, and the command is not clear without a person.
    """
    found = find_suite(loaded, project, environment)
    if found.notice:
        listener(Notice(found.notice))
    return found.loaded


def find_suite(
    loaded: LoadedConfig, project: Path, environment: Mapping[str, str], *, tries: bool = True
) -> ChosenSuite:
    """Return the suite that a run would use.

    Args:
        loaded: the configuration.
        project: the project's real path.
        environment: the environment of the user.
        tries: whether pytest collects the cases of a detected suite, which imports the tests.

    Raises:
        ConfigError: nothing is configured, and the command is not clear without a person.
    """
    if loaded.find_origin("tests.command") != "default":
        return ChosenSuite(loaded)
    suite = detect_suite(project, environment)
    tried = try_suite(suite, project, environment) if tries else TriedSuite(suite)
    if not tried.suite.is_sure:
        raise build_choice_error(tried.suite)
    return ChosenSuite(_set_suite(loaded, tried.suite), _describe_choice(tried), tried.collection)


def try_suite(
    suite: DetectedSuite,
    project: Path,
    environment: Mapping[str, str],
    *,
    is_confirmed: bool = False,
) -> TriedSuite:
    """Let pytest collect the cases of a suite, with the folder of the code if it is not installed.

    Args:
        suite: the detected suite; another framework than pytest is not tried.
        project: the project's real path.
        environment: the environment of the user.
        is_confirmed: whether a person has agreed that the command is executed. Otherwise one that
            runs what the repository says, such as `make test`, is not: not even to collect.
    """
    if suite.framework != PYTEST or suite.folder:
        return TriedSuite(suite)
    if not is_confirmed and not is_harmless_command(suite.command):
        return TriedSuite(suite)
    try:
        first = collect_cases(suite.command, project, environment)
    except LoopError as error:
        return TriedSuite(_make_unsure(suite, error.message, error.hint))
    tried = TriedSuite(_set_interpreter(suite, project, first), first)
    for folder in _find_import_folders(project, first.list_missing_modules()):
        command = f"PYTHONPATH={folder} {suite.command}"
        if not is_harmless_command(command):
            continue
        reason = f"{suite.reason}; the code in {folder}/ is not installed"
        other = collect_cases(command, project, environment)
        if _rank(other) > _rank(first):
            better = replace(suite, command=command, reason=reason)
            tried = TriedSuite(_set_interpreter(better, project, other), other)
            break
    return _judge(tried)


def collect_cases(command: str, project: Path, environment: Mapping[str, str]) -> Collection:
    """Let pytest collect the cases that a command runs.

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
    return suite.collect(project)


def describe_candidates(suite: DetectedSuite) -> str:
    """Return the commands that a person can choose from, in one line; empty if there are none."""
    named = [each for each in (suite, *suite.candidates) if each.command]
    return ", ".join(
        f"`{each.command}`" + (f" in {each.folder}/" if each.folder else "") for each in named
    )


def build_choice_error(suite: DetectedSuite) -> ConfigError:
    """Return the error for a suite that a run may not use without a person."""
    listed = describe_candidates(suite)
    candidates = f"; candidates: {listed}" if listed else ""
    if not suite.command:
        problem = suite.reason
    elif suite.is_ambiguous:
        problem = f"which one to use is not clear: {suite.reason}"
    else:
        problem = f"`{suite.command}` runs what the repository says ({suite.reason})"
    hint = f'choose with `orchestrator init`, or name it: --tests "{suite.command}"'
    return ConfigError(
        f"no tests.command is configured, and {problem}{candidates}", suite.hint or hint
    )


def _set_interpreter(suite: DetectedSuite, project: Path, found: Collection) -> DetectedSuite:
    """Return the suite with the interpreter that did run pytest, inside the project relative."""
    if not found.interpreter.isprintable() or not found.interpreter:  # the tests may have set it
        return suite
    path = Path(found.interpreter)
    inside = path.relative_to(project) if path.is_relative_to(project) else path
    return replace(suite, interpreter=str(inside))


def _rank(collection: Collection) -> tuple[bool, int, int]:
    return collection.outcome is None, collection.count, -len(collection.failures)


def _judge(tried: TriedSuite) -> TriedSuite:
    """Return the suite, which is not sure if pytest cannot work with the command as it is."""
    suite, found = tried.suite, tried.collection
    if found is None or found.is_clean or found.outcome is SuiteOutcome.TIMEOUT:
        return tried
    missing = found.list_missing_modules()
    others = [each for each in suite.candidates if not is_harmless_command(each.command)]
    note = ""
    if missing and others:
        note = f"no module {missing[0]} in its environment"
    elif not found.count and not found.failures:
        note = "pytest collects no test"
        if found.outcome is not None:
            note = f"pytest ends with: {found.find_error_line()}"
    if not note:  # a task may be to repair the files that cannot be imported, or to write them
        return tried
    return replace(tried, suite=_make_unsure(suite, note))


def _make_unsure(suite: DetectedSuite, note: str, hint: str = "") -> DetectedSuite:
    reason = f"{suite.reason}, but {note}"
    return replace(suite, is_sure=False, is_ambiguous=True, reason=reason, hint=hint or suite.hint)


def _find_import_folders(project: Path, modules: list[str]) -> list[str]:
    """Return the folders in the project that contain one of the modules, from the project."""
    entries = files.list_folder(project)[:_MOST_FOLDERS]
    names = sorted(entry.name for entry in entries if files.is_real_folder(entry))
    folders = [".", *(name for name in ("src", "lib") if name in names), *names]
    return [
        folder
        for folder in dict.fromkeys(folders)
        if not folder.startswith("..")
        and any(_contains_module(project / folder, name) for name in modules)
    ][:2]


def _contains_module(folder: Path, name: str) -> bool:
    return files.is_file(folder / f"{name}.py") or files.is_folder(folder / name)


def _set_suite(loaded: LoadedConfig, suite: DetectedSuite) -> LoadedConfig:
    values = {"command": suite.command}
    if loaded.find_origin("tests.framework") == "default":
        values["framework"] = suite.framework
    config: Config = loaded.config.model_copy(
        update={"tests": loaded.config.tests.model_copy(update=values)}
    )
    origins = {**loaded.origins, **{f"tests.{name}": _ORIGIN for name in values}}
    return replace(loaded, config=config, origins=origins)


def _describe_choice(tried: TriedSuite) -> str:
    suite, found = tried.suite, tried.collection
    parts = [suite.interpreter, suite.reason]
    if found:
        parts.append(format_count(found.count, "case"))
    if found and found.failures:
        parts.append(_describe_failures(found))
    known = "; ".join(filter(None, parts))
    return f"tests: `{suite.command}` ({known}); `orchestrator init` writes it to orchestrator.yaml"


def _describe_failures(found: Collection) -> str:
    files_named = format_count(len(found.failures), "file")
    cause = re.sub(r"\s+", " ", found.failures[0].message)[:200]
    return f"{files_named} cannot be collected: {cause}"
