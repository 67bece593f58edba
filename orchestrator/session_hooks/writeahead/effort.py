"""The bound on the work of analysing one tool call: Claude Code ends a hook after ten seconds.

A count and no clock: the same command is analysed, or not, on every machine.
"""

MAX_STEPS = 1 << 17
"""Steps for one call, of one to three microseconds each."""
STEPS_OF_A_COMMAND = 10
"""Steps that each command in a script costs, beside its characters."""


class TooMuchWorkError(Exception):
    """A script is too long, or nested too deeply, to be analysed in time."""


class Effort:
    """Counts the steps of one analysis.

    A step is one character read, one word of a command visited, or one pattern compared.
    """

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Count steps.

        Raises:
            TooMuchWorkError: there were too many.
        """
        self._left -= steps
        if self._left < 0:
            raise TooMuchWorkError
