"""Check the suite: its command, its interpreter and plugins, and the cases that it collects."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from orchestrator.counts import format_count
from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.models import SuiteOutcome
from orchestrator.services.doctor.results import Check, Fault, Link, fail, skip, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.suite_choice import COLLECTING_SECONDS, find_suite
from orchestrator.suites import create_suite
from orchestrator.suites.command_line import parse_command
from orchestrator.suites.environment import find_virtualenv
from orchestrator.suites.installing import suggest_install
from orchestrator.suites.pytest.collection import Collection
from orchestrator.suites.pytest.suite import PytestSuite

_PLUGINS: Final = (
    *("xdist", "randomly", "rerunfailures", "timeout", "cov", "asyncio", "django", "sugar"),
)
"""Plugins that change what a run means: its order, its parallel workers, its repetitions."""
_EDIT: Final = "orchestrator config edit"
_RUNS: Final = "would run the command"
_UV: Final = "uv"
_NO_SYNC: Final = {"UV_NO_SYNC": "1", "UV_FROZEN": "1"}
"""Variables with which `uv run` installs nothing and writes no lock file; but it still makes an
environment that is missing."""


def check_suite(subject: Subject) -> Iterator[Check]:
    """Check that the suite starts, and count its cases where that is possible without a run."""
    if subject.loaded is None:
        yield skip(Link.SUITE, "the configuration cannot be read")
        return
    try:
        chosen = find_suite(subject.loaded, subject.project, subject.environment)
        tests = chosen.loaded.config.tests
        environment = {**subject.environment, **_NO_SYNC}
        suite = create_suite(tests.framework, tests.command, COLLECTING_SECONDS, environment)
        suite.preflight(subject.project)
    except LoopError as error:
        is_machine = isinstance(error, InfrastructureError)
        fault = Fault.MACHINE if is_machine else Fault.CONFIGURATION
        command = error.hint if " -m pip " in error.hint else _EDIT
        yield fail(Link.SUITE, error.message, error.hint, command, fault)
        return
    text = f"`{tests.command}` ({tests.framework})"
    why = _RUNS
    if isinstance(suite, PytestSuite):
        why = _find_obstacle(suite, tests.command, subject)
        if not why:
            folder = shlex.quote(str(subject.project))
            command = f"cd {folder} && {tests.command} --collect-only -q"
            collection = chosen.collection or suite.collect(subject.project)
            yield _judge(collection, subject.project, text, command)
            return
    yield succeed(Link.SUITE, f"{text} starts")
    yield skip(Link.SUITE, f"the number of cases: to count them {why}")


def _find_obstacle(suite: PytestSuite, command: str, subject: Subject) -> str:
    """Return what counting the cases would do besides; empty if nothing."""
    if not suite.runs_pytest_alone:
        return _RUNS
    if parse_command(command).argv[0] == _UV and not find_virtualenv(subject.project):
        return "would make an environment"
    return ""


def _judge(found: Collection, project: Path, text: str, command: str) -> Check:
    if found.outcome is SuiteOutcome.TIMEOUT:
        cause = f"collecting takes longer than {COLLECTING_SECONDS:g} s"
        return warn(Link.SUITE, f"{text}: its cases were not counted", cause, command)
    if found.failures:
        errors = format_count(len(found.failures), "error")
        what = f"has {errors} before any test runs"
        if missing := found.list_missing_modules():
            command = suggest_install(project, found.interpreter, missing[0])
        return _fail(f"{text} {what}", _find_cause(found), command)
    if found.outcome is not None:
        return _fail(f"{text} cannot collect its cases", found.find_error_line(), command)
    if not found.count:
        cause = "a run could not be judged; write a test, or correct tests.command"
        return _fail(f"{text} finds no test", cause, command)
    return succeed(
        Link.SUITE, f"{text}: {format_count(found.count, 'case')}; {_describe_python(found)}"
    )


def _fail(text: str, cause: str, command: str) -> Check:
    return fail(Link.SUITE, text, cause[:300], command, Fault.CONFIGURATION)


def _find_cause(found: Collection) -> str:
    lines = [line.strip() for line in found.failures[0].message.splitlines() if line.strip()]
    return re.sub(r"^E\s+", "", lines[-1]) if lines else found.find_error_line()


def _describe_python(found: Collection) -> str:
    """Return version and path of the interpreter, and the plugins that matter."""
    plugins = [each for each in _PLUGINS if f"pytest-{each}" in found.plugins]
    shown = f", with {', '.join(plugins)}" if plugins else ""
    return f"Python {found.version} ({found.interpreter}), pytest {found.pytest}{shown}"
