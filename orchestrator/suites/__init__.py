"""Suites: the project's own tests, whatever runs them.

To add one: a class with `preflight`, `run` and `observe` (see `command_suite.py`), a line in
`_SUITES`, and a subclass of the conformance suite in `tests/suites/`.
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
    """Make the suite for `tests.framework`.

    Args:
        framework: its name.
        command: the suite's command.
        timeout_seconds: for one run.
        environment: what the suite's environment is made from; ours if None.

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
