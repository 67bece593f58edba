"""One way in which a secret stands in a text."""

from __future__ import annotations

import re

from orchestrator.masking.lazy_pattern import Pattern

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from collections.abc import Callable


class Shape:
    """One way in which a secret stands in a text.

    Args:
        kind: what it is called in its placeholder.
        hints: words in lower case; the pattern is looked for in lines with one of them.
        pattern: has the secret as group `s`, or is the secret as a whole.
        lines: how many lines after one with a hint belong to it; -1 for the whole text.
        accept: whether a value is a secret.
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
