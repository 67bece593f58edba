"""Words of an agent, made fit for a terminal: they are data, and may hold escape sequences."""

import unicodedata
from typing import Final

_LINE_LENGTH: Final = 160

_BAD_CATEGORIES: Final = frozenset({"Cc", "Cs"})
"""Control characters and lone surrogates (https://www.unicode.org/reports/tr44/, table 12)."""

_BIDI: Final = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Direction overrides, which make a line read otherwise than it is."""


def plain(text: str) -> str:
    """The text without control characters; newlines and tabs stay."""
    return "".join(
        character
        for character in text.replace("\r\n", "\n")
        if character in "\n\t"
        or (unicodedata.category(character) not in _BAD_CATEGORIES and character not in _BIDI)
    )


def one_line(text: str, length: int = _LINE_LENGTH) -> str:
    """The text on one line of at most `length` characters, an ellipsis where it was cut."""
    flat = " ".join(plain(text[: 20 * length]).split())
    return flat if len(flat) <= length else flat[: length - 1] + "…"


def last_lines(text: str, lines: int = 3, length: int = 500) -> str:
    """The last lines that hold something, on one line: what an error message quotes of stderr."""
    filled = [line for line in plain(text).splitlines() if line.strip()]
    return one_line(" / ".join(line.strip() for line in filled[-lines:]), length)
