"""Define the errors that a user can fix: each says what is wrong, and what to do about it.

    LoopError                 any expected failure; carries a message and a `hint`
    |-- UsageError            exit 2: wrong usage or configuration
    |   |-- ConfigError       ... in a config value, with where it came from
    |   `-- UntrustedError    the project's own file asks for what the user has not trusted
    |-- InfrastructureError   exit 3: no agent, no key, no network, no space
    |   |-- RefusedValueError ... the database works, but does not take a value
    |   `-- DatabaseAwayError ... the connection to the database has broken
    |-- RulebookError         exit 2: CLAUDE.md cannot be read or written as it is
    `-- LostRunError          exit 3: another process has taken over the run

Any other exception that reaches the command line is a bug of this program (exit 4).
`teacher.errors` is a separate tree, because `teacher` must not import this package.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path


def with_hint(message: str, hint: str) -> str:
    """Return `message (hint)`, or the message alone where the hint is empty."""
    return f"{message} ({hint})" if hint else message


class LoopError(Exception):
    """An expected failure, described in one line.

    Args:
        message: what is wrong, and where.
        hint: what the user can do about it; may be empty.
        command: the shell command that corrects it; empty if there is none.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str = "", command: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.command = command

    def __str__(self) -> str:
        return with_hint(self.message, self.hint)


class UsageError(LoopError):
    """The command line or the configuration is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A value in the configuration is wrong; the message names its key and origin."""


class UntrustedError(UsageError):
    """A project asks for settings that the user has not trusted; nothing has been started.

    Args:
        message: lists each setting with its value and origin.
        hint: how to trust them.
        project: the project's real path.
        texts: the whole value of each setting, by key.
        shortened: descriptions of those of which the message shows only the beginning, in full.
    """

    def __init__(
        self,
        message: str,
        hint: str,
        project: Path,
        texts: Mapping[str, str],
        shortened: Sequence[str] = (),
    ) -> None:
        super().__init__(f"{message}\nnothing was started", hint)
        self.request = message
        self.project, self.texts, self.shortened = project, texts, shortened


class InfrastructureError(LoopError):
    """Something that the run needs is missing or unavailable."""

    exit_code = 3


class RefusedValueError(InfrastructureError):
    """The database works, but does not take a value: it is too large, or there already."""


class DatabaseAwayError(InfrastructureError):
    """The connection to the database has broken; what was being written may be stored or not."""


class RulebookError(LoopError):
    """The rulebook file cannot be read or written safely."""

    exit_code = 2


class LostRunError(LoopError):
    """Another process has taken over the run; the results of this process no longer count."""

    exit_code = 3

    def __init__(self, run: str) -> None:
        super().__init__(
            f"another process has taken over run {run}", "check it with `orchestrator runs show`"
        )
