"""Define what a detector returns: one occurrence of one kind of problem in one session."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from orchestrator.sessions.models import Session


class Detector(StrEnum):
    """The kinds of occurrences. The values are stored and printed."""

    REPEATED_ERROR = "repeated error"
    SAME_COMMAND = "same command failing again"
    HIDDEN_FAILURE = "hidden test failure"
    EDIT_MISMATCH = "edit did not match"
    REDUNDANT_READ = "redundant read"
    TEST_LOOP = "test loop"
    REJECTION = "words at a rejection"
    CORRECTION = "typed correction"
    INTERRUPTION = "interruption"
    PERMISSION = "permission prompt"
    TOKEN_WASTE = "token waste"  # noqa: S105 -- no password
    PROCEDURE = "repeated procedure"
    CACHE_MISS = "cache miss"


@dataclass(frozen=True)
class Occurrence:
    """One occurrence of something in a session."""

    detector: Detector
    key: str
    """Equal for occurrences of the same thing, in any session of a project: no path of a machine,
    number, hex, time or quoted name in it."""
    row: str
    """The uuid of the row that shows it best."""
    at: str
    """ISO 8601 in UTC, as in the transcript."""
    quote: str = ""
    """The text that shows it, unmasked and not cut, so that no half of a secret is in it; at most
    `MOST_OF_QUOTE` characters are stored, masked."""
    agent: str = ""
    """The subagent in which it happened; empty for the main conversation."""
    detail: dict[str, Any] = field(default_factory=dict)
    """What this kind has in addition, of plain JSON values: see each detector."""


MOST_OF_QUOTE = 400
COMMAND_MARK = "$ "
"""At the start of each line of a quote that is a command: of these the beginning is stored."""

Detect = Callable[[Session], Iterable[Occurrence]]
