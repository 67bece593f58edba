"""Run the project's own tests and report their results.

    environment      build the environment in which a project's programs run
    command_line     parse and run the configured test command
    command_suite    a suite whose verdict is the exit code of any command
    pytest/          a suite that reports each case of pytest
    progress         report what a suite is doing while it runs
    fake             a suite with scripted reports, for tests

To add a suite, write a class with the methods of `orchestrator.ports.Suite` (see
`command_suite.py`), add a line to `_SUITES`, and a subclass of the conformance suite in
`tests/suites/`.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from orchestrator.errors import UsageError
from orchestrator.ports import Suite
from orchestrator.suites.environment import build_project_environment

if TYPE_CHECKING:
    from orchestrator.suites.command_suite import CommandSuite
    from orchestrator.suites.pytest.suite import PytestSuite


def create_suite(
    framework: str,
    command: str,
    timeout_seconds: float,
    environment: Mapping[str, str] | None = None,
) -> Suite:
    """Return the suite for `tests.framework`.

    Args:
        framework: its name.
        command: the suite's command.
        timeout_seconds: the limit for one run.
        environment: the variables to build the suite's environment from; `os.environ` if None.

    Raises:
        UsageError: there is no such framework, or the command cannot be read.
    """
    if framework not in _SUITES:
        known = ", ".join(_SUITES)
        raise UsageError(f"tests.framework {framework!r} is not known", f"use one of: {known}")
    return _SUITES[framework](
        command, timeout_seconds, lambda project: build_project_environment(project, environment)
    )


_Environment = Callable[[Path], Mapping[str, str]]


def _create_pytest_suite(
    command: str, timeout_seconds: float, environment: _Environment
) -> "PytestSuite":
    from orchestrator.suites.pytest.suite import PytestSuite

    return PytestSuite(command, timeout_seconds, environment)


def _create_command_suite(
    command: str, timeout_seconds: float, environment: _Environment
) -> "CommandSuite":
    from orchestrator.suites.command_suite import CommandSuite

    return CommandSuite(command, timeout_seconds, environment)


_SUITES: Final[dict[str, Callable[[str, float, _Environment], Suite]]] = {
    "pytest": _create_pytest_suite,
    "command": _create_command_suite,
}
