"""Compute a short id of a failure that does not change when only its circumstances do."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

_NOISE: Final = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"\x1b\[[0-9;]*[A-Za-z]", ""),
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?", "<time>"),
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "<uuid>"),
        (r"\b0x[0-9a-fA-F]+\b", "<address>"),
        # Temporary folders first, with all below them: their names are random in each run.
        (r"(?:/private)?/(?:tmp|var/tmp|var/folders|dev/shm)(?:/[^\s'\"`:;,)\]}>]*)?", "<tmp>"),
        # Of any other absolute path only the last part is the same on every machine.
        (r"(?<![\w.>])(?:/[\w.+~@-]+)+/(?=[\w.+~@-])", ""),
        (r"(?<=\.py):\d+", ":<line>"),
        (r"\b([Ll]ine) \d+", r"\1 <line>"),
        (r"\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|minutes?)\b", "<duration>"),
        (r"\b(pid|port|thread)([ =:]+)\d+", r"\1\2<number>"),
        (r"\s+", " "),
    )
)


def compute_fingerprint(source: str, evidence: Iterable[tuple[str, str]]) -> str:
    """Return 16 hex digits that are equal for equal failures.

    Line numbers, addresses, temporary and absolute paths, times, durations and the order of the
    evidence make no difference; the failed cases and their messages do.

    Args:
        source: where the failure comes from.
        evidence: pairs of what failed (the id of a case) and its message.
    """
    parts = sorted({f"{strip_noise(what)}\x1f{strip_noise(message)}" for what, message in evidence})
    return hashlib.sha256("\x1e".join((source, *parts)).encode("utf-8", "replace")).hexdigest()[:16]


def hash_words(*texts: str) -> str:
    """Return the SHA-256 of texts in hex; texts that differ only in white space are equal."""
    parts = (" ".join(each.split()) for each in texts)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def strip_noise(text: str) -> str:
    """Replace all that changes from run to run by placeholders."""
    for pattern, into in _NOISE:
        text = pattern.sub(into, text)
    return text.strip()
