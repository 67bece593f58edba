"""Errors that a user can mend. Each says what is wrong and what to do about it.

    LoopError                 anything expected to go wrong; carries `mend`
    |-- UsageError            exit 2: wrong usage or configuration
    |   `-- ConfigError       ... in a config value, with where it came from
    |-- InfrastructureError   exit 3: no agent, no key, no network, no space
    |-- RulebookError         exit 2: CLAUDE.md cannot be read or written as it is
    `-- LostRunError          exit 3: another process carries the run now

Anything else that escapes is a bug of ours (exit 4). `teacher.errors` is a tree of its own,
because `teacher` does not know this package.
"""


def with_hint(message: str, hint: str) -> str:
    """Return a message with what to do about it, where there is something to do."""
    return f"{message} ({hint})" if hint else message


class LoopError(Exception):
    """An expected failure, in one line, with the mend."""

    exit_code = 3

    def __init__(self, message: str, mend: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = mend

    def __str__(self) -> str:
        return with_hint(self.message, self.hint)


class UsageError(LoopError):
    """The command or the configuration is wrong."""

    exit_code = 2


class ConfigError(UsageError):
    """A value in the configuration is wrong; the message names its key and origin."""


class InfrastructureError(LoopError):
    """Something that the run needs is missing or down."""

    exit_code = 3


class RulebookError(LoopError):
    """The rulebook file cannot be read or written safely."""

    exit_code = 2


class LostRunError(LoopError):
    """Another process has taken the run up; what this one did since does not count."""

    exit_code = 3

    def __init__(self, run: str) -> None:
        super().__init__(
            f"another process carries this run now: {run}", "look with `orchestrator runs show`"
        )
