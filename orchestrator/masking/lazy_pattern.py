"""Patterns that are compiled on first use: compiling all of them takes 0.1 s."""

from __future__ import annotations

import re

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Iterator


class Pattern:
    """A regular expression that is compiled on first use.

    Args:
        text: the expression.
        flags: the flags of `re.compile`.
    """

    __slots__ = ("_compiled", "_flags", "text")

    def __init__(self, text: str, flags: int = 0) -> None:
        self.text, self._flags = text, flags
        self._compiled: re.Pattern[str] | None = None

    def _compile(self) -> re.Pattern[str]:
        if self._compiled is None:
            self._compiled = re.compile(self.text, self._flags)
        return self._compiled

    def fullmatch(self, text: str) -> re.Match[str] | None:
        """Return the match of a whole text."""
        return self._compile().fullmatch(text)

    def search(self, text: str) -> re.Match[str] | None:
        """Return the first match in a text."""
        return self._compile().search(text)

    def finditer(
        self, text: str, start: int = 0, end: int | None = None
    ) -> Iterator[re.Match[str]]:
        """Yield the matches between two positions of a text."""
        return self._compile().finditer(text, start, len(text) if end is None else end)

    def sub(self, into: str, text: str) -> str:
        """Return a text with its matches replaced."""
        return self._compile().sub(into, text)
