"""Ask for the user's trust in the commands that a list names as checks of its tasks.

A list may come with a repository that has just been cloned, and a check is a program that is run
on this machine, outside of the agent's permissions.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from orchestrator.config import Config
from orchestrator.errors import UntrustedError
from orchestrator.masking import mask_text
from orchestrator.platform.project_commands import format_project_command
from orchestrator.services.trust_requests import Request
from orchestrator.storage.trust_store import TrustStore
from orchestrator.tasks.models import ListFormat, TaskList

KEY: Final = "tasks.check"
"""Prefix of the key under which a trusted check is stored."""


def require_trusted_checks(tasks: TaskList, project: Path, config: Config, state: Path) -> None:
    """Check that the user trusts each check that is not a call of the project's own suite.

    Args:
        tasks: the list.
        project: the project's real path.
        config: names the suite's command.
        state: the state directory.

    Raises:
        UntrustedError: the list names commands that the user has not trusted.
    """
    if tasks.format is ListFormat.TEXT:
        return
    asked = {
        each.key: each.text
        for each in list_check_requests(tasks, project, config, state)
        if not each.is_trusted
    }
    if asked:
        lines = [f"  {mask_text(check)}" for check in asked.values()]
        what = "a command" if len(asked) == 1 else f"{len(asked)} commands"
        raise UntrustedError(
            "\n".join((f"{tasks.source} names {what} that you have not trusted:", *lines)),
            f"to use it, run `{_format_trust_command(tasks, project)}`",
            project,
            asked,
        )


def list_check_requests(
    tasks: TaskList, project: Path, config: Config, state: Path
) -> list[Request]:
    """Return the checks of a list that need the user's trust: all but calls of the own suite."""
    store, suite = TrustStore(state), shlex.split(config.tests.command)
    checks = dict.fromkeys(each.check for each in tasks.items if each.check and not each.done)
    return [
        Request(key, check, (f"{KEY}: {check}",), store.is_trusted(project, key, check))
        for check in checks
        if not is_suite_call(check, suite)
        for key in [f"{KEY} {check}"]
    ]


def _format_trust_command(tasks: TaskList, project: Path) -> str:
    return format_project_command(f"trust --tasks {shlex.quote(tasks.source)}", project)


def is_suite_call(check: str, suite: Sequence[str]) -> bool:
    """Return whether a check calls the program of the suite with paths and ids of tests only.

    `pytest tests/test_a.py::test_b -q` does; an option with a value may load anything.
    """
    words = shlex.split(check)
    program = list(suite[: _count_program(suite)])
    if not program or words[: len(program)] != program:
        return False
    rest = words[len(program) :]
    return all(not word.startswith("-") or word in _HARMLESS for word in rest)


_HARMLESS: Final = frozenset({"-q", "-v", "-vv", "-x", "--tb=short", "--no-header"})


def _count_program(suite: Sequence[str]) -> int:
    """Return how many words name the suite's program: `python -m pytest` has three."""
    for number, word in enumerate(suite):
        if Path(word).name == "pytest":
            return number + 1
    return 0
