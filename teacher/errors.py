"""Errors that teachers raise.

    TeacherError                any expected error; carries `hint` and `usage`
    |-- TeacherMisconfigured    unknown prompt, unknown model, or a URL that may not be used
    |   `-- NoKey               no API key is set
    |-- TeacherUnavailable      refused, unreachable, or still failing after all retries
    `-- UnusableAnswer          the answer was billed, but is not a lesson

`usage` is what was billed before the error; the caller adds it to the cost of the run.
"""

from teacher.models import Usage


class TeacherError(Exception):
    """The teacher gave no lesson.

    Args:
        message: What is wrong, and where, in one line.
        hint: What a person can do about it; may be empty.
        usage: Tokens and money that were billed before the error.
    """

    def __init__(self, message: str, hint: str = "", usage: Usage | None = None) -> None:
        # All arguments, so that the error survives pickling: DBOS stores it.
        super().__init__(message, hint, usage)
        self.message = message
        self.hint = hint
        self.usage = usage or Usage()

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class TeacherMisconfigured(TeacherError):  # noqa: N818 - named after the state, like httpx's timeouts
    """The teacher cannot be asked with this configuration. Nothing was spent."""


class NoKey(TeacherMisconfigured):
    """No API key is set. Distinct from a wrong setting, so that a caller can ask for the key."""


class TeacherUnavailable(TeacherError):  # noqa: N818 - as above
    """The teacher could not be reached or refused to answer, whatever the failure was."""


class UnusableAnswer(TeacherError):  # noqa: N818 - as above
    """The teacher's answer is not a lesson. The message has an excerpt of the answer."""
