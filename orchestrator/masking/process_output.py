"""Masks what this process prints or writes down by itself: errors, commands, evidence."""

from __future__ import annotations

import os

from orchestrator.masking.masker import Masker


def mask_text(text: str) -> str:
    """Return a text without secrets: those that have a shape, and those of our environment."""
    return Masker(environment=os.environ).mask(text)


def mask_line(text: str, bound: int) -> str:
    """Return a text masked, on one line of `bound` characters, without control characters."""
    # A secret that the cut divides must still look like one, so the cut comes last; what is far
    # beyond it need not be looked at. The word at that place may be half a secret.
    most = 4 * bound + 4096
    text = mask_text(text if len(text) <= most else text[:most].rpartition(" ")[0])
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= bound else line[: bound - 1] + "…"
