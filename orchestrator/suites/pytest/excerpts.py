"""Shorten messages and tracebacks of cases to what a report stores."""

from typing import Final

from orchestrator.platform.escape_sequences import strip_escape_sequences

DETAIL_BOUND: Final = 20_000
"""Limit for a traceback, in characters: half from its start, half from its end."""

MESSAGE_BOUND: Final = 2_000
"""Limit for a message, in characters."""


def shorten_message(message: str) -> str:
    """Return the start of a message, cut between words."""
    message = strip_escape_sequences(replace_surrogates(message))
    if len(message) <= MESSAGE_BOUND:
        return message
    return _drop_last_word(message[:MESSAGE_BOUND])


def shorten_detail(text: str) -> str:
    """Return the start and the end of a traceback, with a note of how much was left out."""
    text = strip_escape_sequences(replace_surrogates(text))
    if len(text) <= DETAIL_BOUND:
        return text
    # Between words: half of a secret would not be recognised as one, and so not be masked.
    half = DETAIL_BOUND // 2
    head, tail = _drop_last_word(text[:half]), (text[-half:].split(None, 1) or [""])[-1]
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters left out ...]\n{tail}"


def replace_surrogates(text: str) -> str:
    """Return a text that can be encoded in UTF-8: output of tests may have lone surrogates."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _drop_last_word(text: str) -> str:
    return (text.rsplit(None, 1) or [""])[0]
