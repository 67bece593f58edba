"""Make text of an agent safe for a terminal: it may hold escape sequences."""

import re
from typing import Final

from orchestrator.platform.escape_sequences import strip_escape_sequences

_LINE_LENGTH: Final = 160

_CONTROL_CHARACTERS: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # control characters but tab and newline (category Cc)
    r"\u202a-\u202e\u2066-\u2069"  # direction overrides, which reorder a line
    r"\ud800-\udfff]"  # lone surrogates, which UTF-8 cannot encode
)

_SEQUENCE: Final = re.compile(r"\x1b?\[[\d;?]*[A-Za-z]")
"""An escape sequence, with or without its control character."""


def strip_control_characters(text: str) -> str:
    """Return the text without escape sequences and control characters but newlines and tabs."""
    return _CONTROL_CHARACTERS.sub("", strip_escape_sequences(text))


def format_one_line(text: str, length: int = _LINE_LENGTH) -> str:
    """Return the text on one line of at most `length` characters, with an ellipsis if cut."""
    flat = " ".join(strip_control_characters(text[: 20 * length]).split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def quote_last_lines(text: str, lines: int = 3, length: int = 500) -> str:
    """Return the last lines that are not blank, joined to one: a quotation for error messages."""
    filled = [line for line in strip_control_characters(text).splitlines() if line.strip()]
    return format_one_line(" / ".join(line.strip() for line in filled[-lines:]), length)


def contains_words(text: str) -> bool:
    """Return whether a text has a letter or digit outside of escape sequences."""
    return bool(re.search(r"\w", _SEQUENCE.sub("", text)))
