"""A shape: one form in which a secret appears in a text."""

from __future__ import annotations

import re

from orchestrator.masking.lazy_pattern import Pattern

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Callable


class Shape:
    """One way in which a secret stands in a text.

    Args:
        kind: the name of the secret in its placeholder.
        hints: words in lower case; the pattern is searched for in lines with one of them.
        pattern: its groups are the secret, or the whole match if it has none.
        lines: number of lines to search after one with a hint; -1 for the whole text.
        accept: returns whether a matched value is a secret.
    """

    __slots__ = ("accept", "hints", "kind", "lines", "pattern")

    def __init__(
        self,
        kind: str,
        hints: tuple[str, ...],
        pattern: str,
        lines: int = 0,
        accept: Callable[[str], bool] = bool,
    ) -> None:
        self.kind, self.hints, self.lines, self.accept = kind, hints, lines, accept
        self.pattern = Pattern(pattern, re.IGNORECASE | re.MULTILINE)
