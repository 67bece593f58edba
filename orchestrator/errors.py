"""Define the errors that a user can fix: each says what is wrong, and what to do about it.

    LoopError                 any expected failure; carries a message and a `hint`
    |-- UsageError            exit 2: wrong usage or configuration
    |   `-- ConfigError       ... in a config value, with where it came from
    |-- InfrastructureError   exit 3: no agent, no key, no network, no space
    |-- RulebookError         exit 2: CLAUDE.md cannot be read or written as it is
    `-- LostRunError          exit 3: another process has taken over the run

Any other exception that reaches the command line is a bug of this program (exit 4).
`teacher.errors` is a separate tree, because `teacher` must not import this package.
"""


def with_hint(message: str, hint: str) -> str:
    """Return `message (hint)`, or the message alone where the hint is empty."""
    return f"{message} ({hint})" if hint else message


class LoopError(Exception):
    """An expected failure, described in one line.

    Args:
        message: what is wrong, and where.
        hint: what the user can do about it; may be empty.
    """

    exit_code = 3

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return with_hint(self.message, self.hint)


class UsageError(LoopError):
    """The command line or the configuration is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A value in the configuration is wrong; the message names its key and origin."""


class InfrastructureError(LoopError):
    """Something that the run needs is missing or unavailable."""

    exit_code = 3


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
