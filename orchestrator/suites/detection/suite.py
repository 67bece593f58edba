"""What was found out about a project's suite."""

import re
from dataclasses import dataclass, replace
from typing import Final

from orchestrator.config.plain_pytest import is_plain_pytest

PYTEST: Final = "pytest"
COMMAND: Final = "command"
"""Values of `tests.framework`."""

_FOLDER: Final = r"[A-Za-z0-9_][\w-]*(?:/[A-Za-z0-9_][\w-]*)*"
_UNITTEST: Final = re.compile(
    rf"(?:PYTHONPATH={_FOLDER} )?python3? -m unittest discover(?: -s {_FOLDER})? -v"
)


@dataclass(frozen=True)
class DetectedSuite:
    """A command that runs a project's tests, or that none was found."""

    framework: str
    """A value of `tests.framework`; empty if no tests were found."""
    command: str
    interpreter: str
    """The program that runs it; empty if it is not known."""
    reason: str
    """One line: why this command."""
    is_sure: bool
    """Whether a run may use it without asking: the evidence is unambiguous, and the command does
    nothing but run the project's tests."""
    candidates: tuple["DetectedSuite", ...] = ()
    """Other commands, the most likely first."""
    folder: str = ""
    """Folder of the package that the command is for, from the project; empty for the project."""
    is_ambiguous: bool = False
    """Whether a person has to choose. Otherwise a command that is not sure only needs a yes."""
    problem: str = ""
    """Why it cannot be used as it is; empty if nothing is known against it. One that was found out
    by files alone is withdrawn if pytest collects the cases."""
    has_cases: bool = False
    """Whether pytest collected cases with it, although there is a problem."""
    hint: str = ""
    """What to do about it if it cannot be used as it is."""
    repair: str = ""
    """The shell command that makes it usable; empty if there is none."""

    @property
    def explanation(self) -> str:
        """Why this command, and why it cannot be used as it is."""
        return f"{self.reason}; {self.problem}" if self.problem else self.reason

    def mark_ambiguous(
        self, problem: str = "", hint: str = "", repair: str = ""
    ) -> "DetectedSuite":
        """Return the suite as one that only a person can choose.

        Args:
            problem: why it cannot be used as it is; what is known already, if empty.
            hint: what to do about it.
            repair: the shell command that makes it usable.
        """
        return replace(
            self,
            is_sure=False,
            is_ambiguous=True,
            problem=problem or self.problem,
            hint=hint or self.hint,
            repair=repair or self.repair,
        )


def is_harmless_command(command: str) -> bool:
    """Return whether a command does nothing but run the project's tests.

    `make test` or `npm test` runs whatever the repository says, so a person has to confirm it.
    """
    return is_plain_pytest(command) or bool(_UNITTEST.fullmatch(command))
