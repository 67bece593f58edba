"""Write the title of a finding: one line with its numbers and their denominators."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.counts import format_count
from orchestrator.sessions.detectors.occurrences import Detector

_MOST_OF_SUBJECT: Final = 100
"""Characters of what a title is about, so that it fits on a line with its numbers."""


@dataclass(frozen=True)
class _Subject:
    """What a title is about."""

    key: str
    quote: str
    detail: Mapping[str, Any]


def write_title(
    detector: Detector,
    key: str,
    quote: str,
    numbers: tuple[int, int, int],
    detail: Mapping[str, Any],
) -> str:
    """Return the title of a finding.

    Args:
        detector: what found it.
        key: what it is about.
        quote: what was said or shown, masked.
        numbers: occurrences, distinct sessions, and sessions that were looked at.
        detail: what the kind has in addition.
    """
    occurrences, sessions, seen = numbers
    subject = _SUBJECTS[detector](_Subject(key, quote, detail))
    times = f"{format_count(occurrences, 'time')}, " if occurrences > sessions else ""
    counted = f"{times}in {sessions:,} of {format_count(seen, 'session')}"
    if "broken_in" in detail:
        loaded = len(detail["broken_in"])
        counted += f", {loaded:,} of them with rule {detail.get('rule', '')} loaded"
    return f"{subject}: {counted}"


def _shorten(text: str, most: int = _MOST_OF_SUBJECT) -> str:
    """Return a text as one line without control characters, cut where it is too long."""
    printable = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(printable.split())
    return line if len(line) <= most else f"{line[: most - 3].rstrip()}..."


def _name_procedure(subject: _Subject) -> str:
    commands = subject.detail.get("commands", [])
    return f"The same {len(commands)} commands, {_shorten('; '.join(map(str, commands)))}"


_SUBJECTS: Final[Mapping[Detector, Callable[[_Subject], str]]] = {
    Detector.REPEATED_ERROR: lambda it: f"The same error, {_shorten(it.key)}",
    Detector.SAME_COMMAND: lambda it: f"Failed again unchanged, `{_shorten(it.key)}`",
    Detector.HIDDEN_FAILURE: lambda it: f"Failed tests looked like success, `{_shorten(it.key)}`",
    Detector.EDIT_MISMATCH: lambda it: f"Edits did not match, {_shorten(it.key)}",
    Detector.REDUNDANT_READ: lambda it: f"Read again unchanged, {_shorten(it.key)}",
    Detector.TEST_LOOP: lambda it: (
        f"Tests failed repeatedly before they passed, {_shorten(it.key)}"
    ),
    Detector.REJECTION: lambda it: f'Said when rejecting a call, "{_shorten(it.quote or it.key)}"',
    Detector.CORRECTION: lambda it: f'Corrected, "{_shorten(it.quote or it.key)}"',
    Detector.INTERRUPTION: lambda _: "Interrupted by a person",
    Detector.PERMISSION: lambda it: f"Often run, {_shorten(it.key)}",
    Detector.TOKEN_WASTE: lambda it: f"Large output, {_shorten(it.key)}",
    Detector.PROCEDURE: _name_procedure,
    Detector.CACHE_MISS: lambda _: "The cache of the prompt was not used",
}
