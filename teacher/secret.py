"""Keys and tokens: where they come from, and that they can be sent at all."""

import os

from teacher.errors import TeacherMisconfigured


def read_secret(variable: str, given: str | None = None) -> str:
    """A secret as it goes into a header: `given`, else the environment's; empty when there is none.

    White space at the ends is cut off: a key that was read from a file often has a line end.

    Raises:
        TeacherMisconfigured: It holds a character that no header may hold. The secret itself is
            not shown.
    """
    value = (given if given is not None else os.environ.get(variable, "")).strip()
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise TeacherMisconfigured(
            f"{variable} holds a space, a line end or a character that no key has",
            f"set {variable} to the key alone",
        )
    return value
