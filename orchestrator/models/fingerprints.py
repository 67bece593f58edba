"""A short name for a failure that stays the same when only its surroundings change."""

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
        # Temporary folders first, whole: the names in them are made up for each run.
        (r"(?:/private)?/(?:tmp|var/tmp|var/folders|dev/shm)(?:/[^\s'\"`:;,)\]}>]*)?", "<tmp>"),
        # Of any other absolute path the last part says what it is, on every machine.
        (r"(?<![\w.>])(?:/[\w.+~@-]+)+/(?=[\w.+~@-])", ""),
        (r"(?<=\.py):\d+", ":<line>"),
        (r"\b([Ll]ine) \d+", r"\1 <line>"),
        (r"\b\d+(?:\.\d+)? ?(?:ns|us|µs|ms|s|sec|secs|seconds?|minutes?)\b", "<duration>"),
        (r"\b(pid|port|thread)([ =:]+)\d+", r"\1\2<number>"),
        (r"\s+", " "),
    )
)


def compute_fingerprint(source: str, evidence: Iterable[tuple[str, str]]) -> str:
    """Give 16 hex digits that are equal for equal failures.

    Line numbers, addresses, temporary and absolute paths, times, durations and the order of the
    evidence make no difference; which cases failed and what they said does.

    Args:
        source: where the failure comes from.
        evidence: pairs of what failed (a case's id) and what it said.
    """
    said = sorted({f"{strip_noise(what)}\x1f{strip_noise(words)}" for what, words in evidence})
    return hashlib.sha256("\x1e".join((source, *said)).encode("utf-8", "replace")).hexdigest()[:16]


def hash_words(*words: str) -> str:
    """Return the SHA-256 of a text in its parts, in hex; equal for equal words, however spaced."""
    parts = (" ".join(each.split()) for each in words)
    return hashlib.sha256("\x1f".join(parts).encode("utf-8", "replace")).hexdigest()


def strip_noise(text: str) -> str:
    """Give the text with all that changes from run to run made equal."""
    for pattern, into in _NOISE:
        text = pattern.sub(into, text)
    return text.strip()
