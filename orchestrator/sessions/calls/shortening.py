"""Cut texts that are not masked yet so that no half of a secret is left."""

from typing import Final

TOO_LONG: Final = "<long>"
"""In place of a single word that is too long."""


def shorten_at_space(text: str, most: int) -> str:
    """Return the beginning of a text, without the word that does not fit."""
    if len(text) <= most:
        return text
    return text[: most + 1].rpartition(" ")[0].rstrip() or TOO_LONG


def shorten_at_line_break(text: str, most: int) -> str:
    """Return the beginning of a text, without the line that does not fit."""
    return text if len(text) <= most else text[: most + 1].rpartition("\n")[0]
