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
from orchestrator.services.trust import format_command
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
    store = TrustStore(state)
    found = {f"{KEY} {each.check}": each.check for each in tasks.items if each.check}
    suite = shlex.split(config.tests.command)
    asked = {
        key: check
        for key, check in found.items()
        if not is_suite_call(check, suite) and not store.is_trusted(project, key, check)
    }
    if asked:
        lines = [f"  {mask_text(check)}" for check in asked.values()]
        what = "a command" if len(asked) == 1 else f"{len(asked)} commands"
        raise UntrustedError(
            "\n".join((f"{tasks.source} names {what} that you have not trusted:", *lines)),
            f"answer at a terminal, or run `{format_command(project)}`",
            project,
            asked,
        )


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
