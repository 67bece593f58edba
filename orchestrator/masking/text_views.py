"""A text as it reads without what divides or escapes it, and the positions in the original."""

from __future__ import annotations

import re
from bisect import bisect_right

from orchestrator.masking.lazy_pattern import Pattern

_JOINT = Pattern(
    r"(?:\x1b\[[0-9;?]*[A-Za-z]"
    r"|[\"'][ \t]*[+.,&|\\]?[ \t]*(?:\\?\r?\n[ \t+>|-]*)?[+.&]?[ \t]*[rbfuRBFU]{0,2}[\"']"
    r"|\\?\r?\n(?:[E>][ \t]+|[ \t+|>-])*)+"
)
"""What divides a secret: escape codes, the end of a string and the next one, a line end with the
signs that diffs, pytest and quotations put before the next line."""

_ESCAPED_LINE = Pattern(r"^[^\n]*?\\[nrt\"'][^\n]*$", re.MULTILINE)
_ESCAPE = Pattern(r"\\([nrt\"'/\\])")
_CHARACTERS = {"n": "\n", "r": "\r", "t": "\t"}


class JoinedText:
    """A text without what may divide a secret, and the positions of its pieces."""

    def __init__(self, text: str) -> None:
        pieces: list[str] = []
        self._starts: list[int] = []
        self._origins: list[int] = []
        at = length = 0
        for match in _JOINT.finditer(text):
            if match.start() > at:
                self._add_piece(length, at)
                pieces.append(text[at : match.start()])
                length += match.start() - at
            at = match.end()
        self._add_piece(length, at)
        self.text = "".join([*pieces, text[at:]])
        self.is_different = len(self.text) < len(text)

    def _add_piece(self, start: int, origin: int) -> None:
        self._starts.append(start)
        self._origins.append(origin)

    def find_parts(self, start: int, end: int) -> list[tuple[int, int]]:
        """Return where the parts of a span stand in the original text."""
        parts = []
        index = bisect_right(self._starts, start) - 1
        while start < end:
            following = self._starts[index + 1] if index + 1 < len(self._starts) else end
            stop = min(end, following)
            if stop > start:
                shift = self._origins[index] - self._starts[index]
                parts.append((start + shift, stop + shift))
            start, index = stop, index + 1
        return parts


class UnescapedLines:
    """The lines of a text that have escapes, with the characters that these stand for."""

    def __init__(self, text: str) -> None:
        self._pieces: list[str] = []
        self._starts: list[int] = []
        self._origins: list[int] = []
        self._lines: list[int] = []
        self._length = 0
        for line in _ESCAPED_LINE.finditer(text) if "\\" in text else ():
            self._lines.append(self._length)
            at = line.start()
            for match in _ESCAPE.finditer(text, at, line.end()):
                self._add_piece(text[at : match.start()], at)
                self._add_piece(_CHARACTERS.get(match[1], match[1]), match.start())
                at = match.end()
            self._add_piece(text[at : line.end()], at)
            self._add_piece("\n\n", line.end())
        self.text = "".join(self._pieces)

    def _add_piece(self, piece: str, origin: int) -> None:
        self._starts.append(self._length)
        self._origins.append(origin)
        self._pieces.append(piece)
        self._length += len(piece)

    def find_original(self, start: int, end: int) -> tuple[int, int] | None:
        """Return where a span stands in the original text, or None if it is in several lines."""
        if bisect_right(self._lines, start) != bisect_right(self._lines, end - 1):
            return None
        return self._locate(start), self._locate(end)

    def _locate(self, position: int) -> int:
        index = bisect_right(self._starts, position) - 1
        while index and self._starts[index] == position == self._starts[index - 1]:
            index -= 1  # an empty piece before
        return self._origins[index] + position - self._starts[index]
