"""Masks what this process itself prints or writes: errors, commands, evidence."""

from __future__ import annotations

import os

from orchestrator.masking.masker import Masker


def mask_text(text: str) -> str:
    """Return a text without secrets: those with a known shape, and those in `os.environ`."""
    return Masker(environment=os.environ).mask(text)


def mask_line(text: str, bound: int) -> str:
    """Return a masked text, without control characters, on one line of `bound` characters."""
    # Half a secret has no known shape, so the text is masked before it is cut. To mask megabytes
    # for one line would be slow, so it is roughly shortened first. That cut is at a space: the
    # word that it divides may be half a secret.
    most = 4 * bound + 4096
    text = mask_text(text if len(text) <= most else text[:most].rpartition(" ")[0])
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= bound else line[: bound - 1] + "…"
