"""Read API keys and tokens, and check that they can be sent in a header."""

import os

from teacher.errors import TeacherMisconfigured


def read_secret(variable: str, given: str | None = None) -> str:
    """Return a secret for a header: `given`, or else the environment variable; empty if unset.

    White space at the ends is removed, because a key that was read from a file often ends with a
    newline.

    Raises:
        TeacherMisconfigured: It contains a character that is not allowed in a header. The message
            does not show the secret.
    """
    value = (given if given is not None else os.environ.get(variable, "")).strip()
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise TeacherMisconfigured(
            f"{variable} contains a space, a newline or a character that headers do not allow",
            f"set {variable} to the key or token alone, without a word such as `Bearer` before it",
        )
    return value
