"""Find answers of the model whose prompt should have been in the cache, and was not.

What was read from the cache and written to it by one answer can be read by the next. It cannot
after a compaction or a change of the model, or when the cache has expired: those are excused.
Claude Code says in `compact_boundary` rows when it compacts; guessing that from the numbers found
30 to 40 that were none in one project. `detail.tokens` is what had to be paid for again.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from orchestrator.sessions.detectors.occurrences import Detector, Occurrence
from orchestrator.sessions.models import ApiFailure, Compaction, ModelCall, Session, Thread

KEY: Final = "cache miss"
_LIFETIME: Final = timedelta(minutes=5)
"""The shorter of the two lifetimes of a cache entry; the longer one is an hour."""
_LEAST_LOST: Final = 10_000
"""Tokens. Less is one breakpoint more or less, and costs a few cents at most."""
_LEAST_SHARE_LOST: Final = 0.5
"""Part of what could have been read. A change in the middle of the prompt loses less."""


def find_cache_misses(session: Session) -> Iterator[Occurrence]:
    """Yield one occurrence for each answer that read less than half of what was in the cache."""
    for thread in session.threads:
        yield from _find_in_thread(thread)


def _find_in_thread(thread: Thread) -> Iterator[Occurrence]:
    before: ModelCall | None = None
    for entry in thread.entries:
        if isinstance(entry, Compaction | ApiFailure):
            before = None
        elif isinstance(entry, ModelCall):
            if not entry.usage.input and not entry.usage.cache_read and not entry.usage.cache_write:
                continue
            lost = _count_lost(before, entry) if before else 0
            if lost:
                yield Occurrence(
                    Detector.CACHE_MISS,
                    KEY,
                    row=entry.row,
                    at=entry.at,
                    agent=thread.agent,
                    detail={"tokens": lost},
                )
            before = entry


def _count_lost(before: ModelCall, after: ModelCall) -> int:
    """Return how many tokens were sent again that could have been read, 0 if excused or few."""
    readable = before.usage.cache_read + before.usage.cache_write
    lost = readable - after.usage.cache_read
    if lost < max(_LEAST_LOST, _LEAST_SHARE_LOST * readable) or before.model != after.model:
        return 0
    return 0 if _has_expired(before.at, after.at) else lost


def _has_expired(before: str, after: str) -> bool:
    """Return whether the cache may have expired between two times, also if they are unreadable."""
    try:
        passed = datetime.fromisoformat(after) - datetime.fromisoformat(before)
    except (ValueError, TypeError):
        return True
    return not timedelta() <= passed < _LIFETIME
