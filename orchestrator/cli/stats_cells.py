"""Format single numbers of `orchestrator stats` for people."""

import sys
from typing import Final

from orchestrator.cli.values import (
    format_dollars,
    sanitize_text,
    shorten_text,
)
from orchestrator.masking import mask_text
from orchestrator.sessions.counting.metrics import Difference, Direction, Share, TaskNumbers

NOTHING: Final = "-"
"""Where there is nothing to count."""

_LONGEST_NAME: Final = 60
_ARROWS: Final = {Direction.UP: "\N{UPWARDS ARROW}", Direction.DOWN: "\N{DOWNWARDS ARROW}"}
_WORDS: Final = {Direction.UP: "up", Direction.DOWN: "down"}


def clean_text(text: str, most: int = _LONGEST_NAME) -> str:
    """Return a text from a transcript or a path on one line, masked and short."""
    return shorten_text(" ".join(sanitize_text(mask_text(text)).split()), most)


def list_arrows() -> dict[Direction, str]:
    """Return the signs for more and for less, as the encoding of standard output has them."""
    try:
        "".join(_ARROWS.values()).encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return _WORDS
    return _ARROWS


def format_arrow(difference: Difference | None) -> str:
    """Return a sign to be written behind a number; empty if there are too few tasks."""
    direction = difference.direction if difference else None
    sign = list_arrows().get(direction, "=") if direction else ""
    return f" {sign}" if sign else ""


def format_number(value: float | None) -> str:
    """Return a number with one digit behind the point at most."""
    return NOTHING if value is None else f"{round(value, 1):g}"


def format_count(value: int | None) -> str:
    """Return a count."""
    return NOTHING if value is None else str(value)


def format_red(numbers: TaskNumbers) -> str:
    """Return the median and the 90th percentile of red runs until green."""
    if numbers.red_median is None:
        return NOTHING
    return f"{format_number(numbers.red_median)}/{format_number(numbers.red_p90)}"


def format_share(share: Share) -> str:
    """Return a share as two counts."""
    return f"{share.count}/{share.of}" if share.of else NOTHING


def format_percent(share: Share) -> str:
    """Return a share in percent, with the two counts."""
    return NOTHING if share.value is None else f"{100 * share.value:.0f}% {format_share(share)}"


def format_cost(numbers: TaskNumbers) -> str:
    """Return the cost of a solved task."""
    cost = numbers.cost_per_solved
    if numbers.solved and cost is None:
        return "not recorded"
    return NOTHING if cost is None else format_dollars(cost)


def format_minutes(numbers: TaskNumbers) -> str:
    """Return the minutes for a solved task."""
    seconds = numbers.seconds_per_solved
    return NOTHING if seconds is None else format_number(seconds / 60)
