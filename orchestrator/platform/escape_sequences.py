"""Remove the escape sequences with which programs colour their output."""

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    # XML cannot hold the character, so pytest writes #x1B into JUnit reports.
    r"(?:\x1b|#x1[bB])\[[\d;:?]*[A-Za-z]"
    r"|\x1b\][^\x07\x1b\n]*(?:\x07|\x1b\\)"  # a title, or a link
)


def strip_escape_sequences(text: str) -> str:
    """Return a text without escape sequences."""
    return _SEQUENCE.sub("", text)
