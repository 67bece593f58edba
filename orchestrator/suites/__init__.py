"""Suites: the project's own tests, whatever runs them.

To add one: a class with `preflight` and `run` (see `command_suite.py`), a line in `_SUITES`, and a
subclass of the conformance suite in `tests/suites/`.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from orchestrator.suites.command_suite import CommandSuite
    from orchestrator.suites.pytest_suite import PytestSuite


def create_suite(
    framework: str, command: str, timeout_seconds: float
) -> "PytestSuite | CommandSuite":
    """Make the suite for `tests.framework`.

    Raises:
        UsageError: there is no such framework, or the command cannot be read.
    """
    from orchestrator.errors import UsageError

    if framework not in _SUITES:
        known = ", ".join(_SUITES)
        raise UsageError(f"tests.framework {framework!r} is not known", f"use one of: {known}")
    return _SUITES[framework](command, timeout_seconds)


def _pytest(command: str, timeout_seconds: float) -> "PytestSuite":
    from orchestrator.suites.pytest_suite import PytestSuite

    return PytestSuite(command, timeout_seconds)


def _command(command: str, timeout_seconds: float) -> "CommandSuite":
    from orchestrator.suites.command_suite import CommandSuite

    return CommandSuite(command, timeout_seconds)


_SUITES: Final[dict[str, Callable[[str, float], "PytestSuite | CommandSuite"]]] = {
    "pytest": _pytest,
    "command": _command,
}
