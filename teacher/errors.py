"""What can keep a teacher from giving a lesson.

    TeacherError                anything expected to go wrong; carries `mend` and `usage`
    |-- TeacherMisconfigured    unknown prompt, unknown model, a URL that may not be used
    |   `-- NoKey               ... or nothing is wrong, but there is no key
    |-- TeacherUnavailable      refused, unreachable, or still failing after the retries
    `-- UnusableAnswer          an answer came, and was billed, but is no lesson

`usage` is what was billed up to the error: whoever catches it adds it to the run's bill.
"""

from teacher.models import Usage


class TeacherError(Exception):
    """No lesson, in one line, with the mend and what it cost all the same.

    Args:
        message: What is wrong, and where.
        mend: What a person can do about it; may be empty.
        usage: Tokens and money that were billed before things went wrong.
    """

    def __init__(self, message: str, mend: str = "", usage: Usage | None = None) -> None:
        super().__init__(message, mend, usage)
        self.message = message
        self.hint = mend
        self.usage = usage or Usage()

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class TeacherMisconfigured(TeacherError):  # noqa: N818 - the state it names, as httpx's timeouts do
    """The teacher cannot be asked with this configuration. Nothing was spent."""


class NoKey(TeacherMisconfigured):
    """There is no key to ask with: something is missing, and not written wrongly."""


class TeacherUnavailable(TeacherError):  # noqa: N818 - as above
    """The teacher could not be reached, or would not answer. Says nothing about the failure."""


class UnusableAnswer(TeacherError):  # noqa: N818 - as above
    """The teacher answered, and the answer is not a lesson. The message shows what came back."""
