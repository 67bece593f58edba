"""Show text from outside as it is: nothing in it acts, is hidden, or looks like our own."""

import re
from typing import Final

_INVISIBLE: Final = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0e\uffa0\U000e0100-\U000e01ef]"
    "|(?<![\u203c-\u3299\U0001f000-\U0001faff])\ufe0f"
)
"""Characters that count as printable, and are shown as nothing or as a space: Unicode's
Default_Ignorable_Code_Point, and the empty Braille pattern. One of them belongs to an emoji."""
_MARKS: Final = re.compile(r"[\\`*_\[\]<>&~|@]|:(?=//)|(?<=www)\.|^[#+=-]|(?<=\d)[.)](?!\S)", re.I)
"""What Markdown, or HTML in it, would take for markup, or for an address to link."""


def show_hidden(text: str) -> str:
    """Return a text with its control characters replaced, and invisible ones as escapes.

    The former could move the cursor, change colours, or set the title of the user's terminal; in
    the latter, a text can hide from the user what a model reads.
    """
    visible = "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
    return _INVISIBLE.sub(lambda found: found[0].encode("unicode_escape").decode(), visible)


def flatten_text(text: str) -> str:
    """Return a text as one line in which nothing is hidden."""
    return show_hidden(" ".join(text.split()))


def escape_markdown(text: str) -> str:
    """Return a text as one line that Markdown shows as it is, without a link, image or heading."""
    return _MARKS.sub(lambda found: f"\\{found[0]}", flatten_text(text))
