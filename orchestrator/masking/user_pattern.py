"""A pattern of `redaction.patterns`, matched within a time limit.

A pattern such as `(a+)+$` takes longer than anybody can wait on thirty characters ("catastrophic
backtracking"), and a cloned repository brings its own patterns. The module `re` has no time limit;
`regex`, which understands the same patterns, has one, and counts processor time, so that a busy
machine changes nothing.
"""

from __future__ import annotations

import time

TYPE_CHECKING = False  # the hook has no time for `typing`
if TYPE_CHECKING:
    from typing import Any

MOST_SECONDS = 0.5
"""Processor time for one piece of text; a usual pattern takes a thousandth of that."""
MOST_TOTAL_SECONDS = 10.0
"""The same for all pieces of text together; afterwards the pattern is not tried any more. A usual
pattern searches a gigabyte in that time."""

_PROBES = ("a" * 4_000, "0" * 4_000, " " * 4_000, "aA0_-. " * 600, "\n" * 4_000, "ab=" * 1_300)
"""Texts on which a pattern that backtracks too much usually reaches the limit."""


class TooSlowError(Exception):
    """A pattern reached its time limit."""


class UserPattern:
    """A pattern whose matches are found within a time limit.

    Args:
        text: the regular expression; a valid one, see `check_pattern`.
    """

    __slots__ = ("_compiled", "_seconds_left")

    def __init__(self, text: str) -> None:
        import regex  # type: ignore[import-untyped] # it has no types; imported only if there is a pattern

        self._compiled = regex.compile(text)
        self._seconds_left = MOST_TOTAL_SECONDS

    def find_matches(self, text: str, start: int, end: int) -> list[Any]:
        """Return all matches between two positions of a text.

        Raises:
            TooSlowError: the limit of this piece, or of all pieces, was reached.
        """
        if self._seconds_left <= 0:
            raise TooSlowError
        started = time.thread_time()
        try:
            return list(self._compiled.finditer(text, start, end, timeout=MOST_SECONDS))
        except TimeoutError:
            raise TooSlowError from None
        finally:
            self._seconds_left -= time.thread_time() - started


def check_pattern(text: str) -> None:
    """Check that a pattern is valid, and fast on texts that make bad patterns slow.

    Raises:
        ValueError: it is not.
    """
    import regex

    try:
        pattern = UserPattern(text)
    except regex.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    for probe in _PROBES:
        try:
            pattern.find_matches(f"{probe}!", 0, len(probe) + 1)
        except TooSlowError:
            raise ValueError(
                f"takes longer than {MOST_SECONDS:g} s on a text of {len(probe):,} characters; "
                "avoid repetitions inside repetitions, as in `(a+)+`"
            ) from None
