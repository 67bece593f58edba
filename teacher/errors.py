"""Define the errors of a teacher that gives no lesson.

    TeacherError                any expected failure; carries a `hint` and the `usage`
    |-- TeacherMisconfigured    unknown prompt, unknown model, a URL that may not be used
    |   `-- NoKey               ... or the configuration is fine, but there is no API key
    |-- TeacherUnavailable      refused, unreachable, or still failing after the retries
    `-- UnusableAnswer          an answer came and was billed, but it is not a lesson

`usage` is what was billed before the error: the handler adds it to the cost of the run.
"""

from teacher.models import Usage


class TeacherError(Exception):
    """A failure to get a lesson, described in one line.

    Args:
        message: what is wrong, and where.
        hint: what the user can do about it; may be empty.
        usage: tokens and money that were billed before the failure.
    """

    def __init__(self, message: str, hint: str = "", usage: Usage | None = None) -> None:
        super().__init__(message, hint, usage)
        self.message = message
        self.hint = hint
        self.usage = usage or Usage()

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class TeacherMisconfigured(TeacherError):  # noqa: N818 - the state it names, as httpx's timeouts do
    """The teacher cannot be asked with this configuration. Nothing was spent."""


class NoKey(TeacherMisconfigured):
    """There is no API key: something is missing, but nothing is wrong."""


class TeacherUnavailable(TeacherError):  # noqa: N818 - as above
    """The teacher could not be reached, or did not answer. Says nothing about the failure."""


class UnusableAnswer(TeacherError):  # noqa: N818 - as above
    """The answer is not a lesson. The message quotes it."""
