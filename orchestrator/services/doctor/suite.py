"""Check the suite: its command, its interpreter and plugins, and the cases that it collects."""

import re
import shlex
from collections.abc import Iterator
from typing import Final

from orchestrator.config import LoadedConfig
from orchestrator.counts import format_count
from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.services.doctor.results import Check, Fault, Link, fail, skip, succeed, warn
from orchestrator.services.doctor.subject import Subject
from orchestrator.services.suite_choice import find_suite
from orchestrator.services.suite_trial import COLLECTING_SECONDS, describe_collection
from orchestrator.suites import create_suite
from orchestrator.suites.installing import advise_install
from orchestrator.suites.pytest.collection import Collection
from orchestrator.suites.pytest.suite import PytestSuite

_PLUGINS: Final = (
    *("xdist", "randomly", "rerunfailures", "timeout", "cov", "asyncio", "django", "sugar"),
)
"""Plugins that change what a run means: its order, its parallel workers, its repetitions."""
_EDIT: Final = "orchestrator config edit"


def check_suite(subject: Subject) -> Iterator[Check]:
    """Check that the suite starts, and count its cases where that is possible without a run."""
    if subject.loaded is None:
        yield skip(Link.SUITE, "the configuration cannot be read")
        return
    withheld = {each.key for each in subject.loaded.withheld}
    if withheld & {"tests.command", "tests.framework"}:
        yield skip(
            Link.SUITE, "you have not trusted the project's test command, so it was not started"
        )
        return
    try:
        chosen = find_suite(subject.loaded, subject.project, subject.environment)
        tests = chosen.loaded.config.tests
        suite = create_suite(
            tests.framework, tests.command, COLLECTING_SECONDS, subject.environment
        )
        suite.preflight(subject.project)
    except LoopError as error:
        yield _explain_error(subject.loaded, error)
        return
    text = f"`{tests.command}` ({tests.framework})"
    if isinstance(suite, PytestSuite) and suite.runs_pytest_alone:
        collection = chosen.collection or suite.collect(subject.project)
        yield _judge(collection, subject, text, tests.command)
        return
    yield succeed(Link.SUITE, f"{text} can be started")
    yield skip(Link.SUITE, "the number of cases: to count them would run the command")


def _explain_error(loaded: LoadedConfig, error: LoopError) -> Check:
    is_machine = isinstance(error, InfrastructureError)
    fault = Fault.MACHINE if is_machine else Fault.CONFIGURATION
    is_configured = loaded.find_origin("tests.command") != "default"
    command = error.command or (_EDIT if is_configured else "")
    return fail(Link.SUITE, error.message, error.hint, command, fault)


def _judge(found: Collection, subject: Subject, text: str, suite_command: str) -> Check:
    command = f"cd {shlex.quote(str(subject.project))} && {suite_command} --collect-only -q"
    if not found.is_counted:
        return warn(Link.SUITE, f"{text}: {describe_collection(found)}", command=command)
    if found.failures:
        errors = format_count(len(found.failures), "error")
        what = f"has {errors} before any test runs"
        cause = _find_cause(found)
        if missing := found.list_missing_modules():
            python, environment = found.interpreter, subject.environment
            advice = advise_install(subject.project, python, missing, environment)
            command = advice.command
            said = advice.rest if command else advice.text
            cause = "; ".join(filter(None, (cause, said)))
        return _fail(f"{text} {what}", cause, command)
    if found.outcome is not None:
        return _fail(f"{text} cannot collect its cases", found.describe_problem(), command)
    if not found.count:
        cause = "a run could not be judged; write a test, or correct tests.command"
        return _fail(f"{text} finds no test", cause, command)
    return succeed(Link.SUITE, f"{text}: {describe_collection(found)}; {_describe_python(found)}")


def _fail(text: str, cause: str, command: str) -> Check:
    return fail(Link.SUITE, text, cause[:300], command, Fault.CONFIGURATION)


def _find_cause(found: Collection) -> str:
    lines = [line.strip() for line in found.failures[0].message.splitlines() if line.strip()]
    return re.sub(r"^E\s+", "", lines[-1]) if lines else found.describe_problem()


def _describe_python(found: Collection) -> str:
    """Return version and path of the interpreter, and the plugins that matter."""
    plugins = [each for each in _PLUGINS if f"pytest-{each}" in found.plugins]
    shown = f", with {', '.join(plugins)}" if plugins else ""
    return f"Python {found.version} ({found.interpreter}), pytest {found.pytest}{shown}"
