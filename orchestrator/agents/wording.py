"""Words of an agent, made fit for a terminal: they are data, and may hold escape sequences."""

import re
from typing import Final

_LINE_LENGTH: Final = 160

_CONTROL_CHARACTERS: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline (category Cc)
    r"\u202a-\u202e\u2066-\u2069"  # direction overrides, which make a line read otherwise
    r"\ud800-\udfff]"  # lone surrogates, which no encoding takes
)

_SEQUENCE: Final = re.compile(r"\x1b?\[[\d;?]*[A-Za-z]")
"""A terminal's sequence, whole or without its control character."""


def strip_control_characters(text: str) -> str:
    """The text without control characters; newlines and tabs stay."""
    return _CONTROL_CHARACTERS.sub("", text)


def format_one_line(text: str, length: int = _LINE_LENGTH) -> str:
    """The text on one line of at most `length` characters, an ellipsis where it was cut."""
    flat = " ".join(strip_control_characters(text[: 20 * length]).split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def quote_last_lines(text: str, lines: int = 3, length: int = 500) -> str:
    """The last lines that hold something, on one line: what an error message quotes of stderr."""
    filled = [line for line in strip_control_characters(text).splitlines() if line.strip()]
    return format_one_line(" / ".join(line.strip() for line in filled[-lines:]), length)


def contains_words(text: str) -> bool:
    """Return whether a text says anything beside spaces, rulers and a terminal's sequences."""
    return bool(re.search(r"\w", _SEQUENCE.sub("", text)))
