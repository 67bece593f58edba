"""An entry of the workspace: what is known of one mistake, discovery or wish."""

import re
import unicodedata
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from functools import lru_cache
from typing import Final


class Kind(StrEnum):
    """What an entry is about; the first part of its id."""

    ERR = "ERR"
    LRN = "LRN"
    FEAT = "FEAT"


class Status(StrEnum):
    """How far an entry has come. It moves forward only, one step at a time."""

    PENDING = "pending"
    RESOLVED = "resolved"
    PROMOTED = "promoted"


ID: Final = re.compile(r"(ERR|LRN|FEAT)-([0-9]{8})-([0-9]{3,9})")


@dataclass(frozen=True)
class Entry:
    """One entry.

    `status` is a text and no `Status`: people edit the files, and write others than the three. It
    is in lower case.
    """

    id: str
    kind: Kind
    status: str
    context: str
    content: str
    action: str
    occurrences: int
    first_seen: date
    last_seen: date
    fingerprint: str = ""
    promoted_at: int = 0
    """Its occurrences when it was promoted; 0 if that is not recorded."""

    @property
    def occurrences_since_promotion(self) -> int:
        """How often it happened again after it was promoted, as far as is known."""
        counted = self.status == Status.PROMOTED and self.promoted_at
        return max(self.occurrences - self.promoted_at, 0) if counted else 0

    @property
    def is_open(self) -> bool:
        """Whether nobody has dealt with it yet."""
        return self.status not in (Status.RESOLVED, Status.PROMOTED)


def normalize_context(entry: Entry) -> str:
    """Return an entry's context in the form that is equal for entries with the same context."""
    return normalize_text(entry.context)


@lru_cache(maxsize=4096)
def normalize_text(text: str) -> str:
    """Return a text without differences of case, white space, quotes and its final full stop."""
    return " ".join(fold_text(text).split()).rstrip(" .!…")


def fold_text(text: str) -> str:
    """Return a text without differences of case and quotes; its white space stays as it is."""
    return unicodedata.normalize("NFKC", text).casefold().replace("`", "").replace('"', "")


def first_sentence(text: str) -> str:
    """Return a text up to the first full stop that ends a sentence, without it."""
    return re.split(r"(?<=[.!?])\s|\s\N{EM DASH}\s", text, maxsplit=1)[0].rstrip(".")
