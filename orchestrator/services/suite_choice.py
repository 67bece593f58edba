"""Choose the command of a project's suite: the configured one, or the one that is detected."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from orchestrator.config import Config, LoadedConfig, Override
from orchestrator.counts import format_count
from orchestrator.errors import ConfigError, InfrastructureError, UsageError
from orchestrator.events import Listener, Notice
from orchestrator.services.suite_trial import TriedSuite, describe_collection, try_suite
from orchestrator.suites.command_line import ignore_event, parse_command, require_program
from orchestrator.suites.detection import DetectedSuite, detect_suite, infer_framework
from orchestrator.suites.environment import build_project_environment
from orchestrator.suites.installing import is_borrowed_interpreter
from orchestrator.suites.pytest.collection import Collection

_ORIGIN: Final = "detected"
_SETTING: Final = "tests.command"
_OPTION: Final = "--tests"


def build_test_overrides(
    command: str, project: Path, environment: Mapping[str, str]
) -> tuple[Override, ...]:
    """Return the settings for a test command from the command line.

    Args:
        command: the command.
        project: the folder that it starts in.
        environment: the environment of the user.

    Raises:
        UsageError: it cannot be parsed, or has a pipe.
        InfrastructureError: its program does not exist.
    """
    try:
        line = parse_command(command)
        env = line.build_environment(build_project_environment(project, environment))
        require_program(line, project, env)
    except (UsageError, InfrastructureError) as error:
        if _SETTING not in error.message:
            raise
        message, hint = error.message.replace(_SETTING, _OPTION), error.hint
        if _SETTING in hint:  # it would be completed with the line for a file
            hint = f'name a command that can be started: {_OPTION} "pytest tests/"'
        raise type(error)(message, hint) from None
    origin = f"command line {_OPTION}"
    framework = infer_framework(command)
    return (
        Override(_SETTING, command, origin),
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
    loaded: LoadedConfig,
    project: Path,
    environment: Mapping[str, str],
    listener: Listener,
    task: str,
) -> LoadedConfig:
    """Return the configuration with the command of the suite; a configured one has precedence.

    Args:
        loaded: the configuration.
        project: the project's real path.
        environment: the environment of the user.
        listener: receives that collecting starts, and a notice of what was detected.
        task: the task's text; the task may be to write a module that the tests miss.

    Raises:
        ConfigError: nothing is configured, and the command is not clear without a person.
    """
    found = find_suite(loaded, project, environment, task, listener=listener)
    if found.notice:
        listener(Notice(found.notice))
    return found.loaded


def find_suite(
    loaded: LoadedConfig,
    project: Path,
    environment: Mapping[str, str],
    task: str = "",
    *,
    tries: bool = True,
    listener: Listener = ignore_event,
) -> ChosenSuite:
    """Return the suite that a run would use.

    Args:
        loaded: the configuration.
        project: the project's real path.
        environment: the environment of the user.
        task: the task's text; empty if there is none yet.
        tries: whether pytest collects the cases of a detected suite, which imports the tests.
        listener: receives that collecting starts.

    Raises:
        ConfigError: nothing is configured, and the command is not clear without a person.
    """
    if loaded.find_origin(_SETTING) != "default":
        return ChosenSuite(loaded)
    suite = detect_suite(project, environment)
    tried = TriedSuite(suite)
    if tries:
        tried = try_suite(suite, project, environment, task, listener=listener)
    if not tried.suite.is_sure:
        raise build_choice_error(tried.suite)
    notice = _describe_choice(tried, environment)
    return ChosenSuite(_set_suite(loaded, tried.suite), notice, tried.collection)


def build_choice_error(suite: DetectedSuite) -> ConfigError:
    """Return the error for a suite that a run may not use without a person."""
    others = [each for each in suite.candidates if each.command]
    candidates = _describe_candidates([suite, *others] if suite.command else others)
    if not suite.command:
        problem = suite.reason
    elif suite.problem:
        problem = f"`{suite.command}` ({suite.reason}) cannot be used: {suite.problem}"
        candidates = _describe_candidates(others)
    elif suite.is_ambiguous:
        problem = f"which one to use is not clear: {suite.reason}"
    else:
        problem = f"`{suite.command}` runs what the repository says ({suite.reason})"
    here = [each.command for each in (suite, *others) if each.command and not each.folder]
    command = suite.repair or ("orchestrator init" if here else "")
    message = f"no tests.command is configured, and {problem}{candidates}"
    return ConfigError(message, _advise_choice(suite, here), command)


def _describe_candidates(suites: list[DetectedSuite]) -> str:
    """Return the commands that a person can choose from; empty if there are none."""
    listed = ", ".join(
        f"`{each.command}`" + (f" in {each.folder}/" if each.folder else "") for each in suites
    )
    return f"; candidates: {listed}" if listed else ""


def _advise_choice(suite: DetectedSuite, commands: list[str]) -> str:
    """Advise what to do; a command that was seen to fail is not proposed."""
    if suite.hint and not suite.problem:
        return suite.hint
    usable = commands[1:] if suite.problem else commands
    choice = f'name another command: {_OPTION} "COMMAND"'
    if usable:
        choice = f'choose with `orchestrator init`, or name it: {_OPTION} "{usable[0]}"'
    elif suite.has_cases:
        choice = f'start with the tests that can be collected: {_OPTION} "{suite.command}"'
    return "; or ".join(filter(None, (suite.hint, choice)))


def _set_suite(loaded: LoadedConfig, suite: DetectedSuite) -> LoadedConfig:
    values = {"command": suite.command}
    if loaded.find_origin("tests.framework") == "default":
        values["framework"] = suite.framework
    config: Config = loaded.config.model_copy(
        update={"tests": loaded.config.tests.model_copy(update=values)}
    )
    origins = {**loaded.origins, **{f"tests.{name}": _ORIGIN for name in values}}
    return replace(loaded, config=config, origins=origins)


def _describe_choice(tried: TriedSuite, environment: Mapping[str, str]) -> str:
    suite, found = tried.suite, tried.collection
    parts = [suite.interpreter, suite.reason]
    if is_borrowed_interpreter(suite.interpreter, environment):
        parts.insert(1, "orchestrator's own, as the project has no pytest")
    if found:
        parts.append(describe_collection(found))
    if found and found.failures:
        parts.append(_describe_failures(found))
    known = "; ".join(filter(None, parts))
    return f"tests: `{suite.command}` ({known}); `orchestrator init` writes it to orchestrator.yaml"


def _describe_failures(found: Collection) -> str:
    files_named = format_count(len(found.failures), "file")
    cause = re.sub(r"\s+", " ", found.failures[0].message)[:200]
    return f"{files_named} cannot be collected: {cause}"
