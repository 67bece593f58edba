"""Add up tokens, and decide whether the numbers of output tokens can be right."""

import math
from collections.abc import Iterable, Sequence
from typing import Final

from orchestrator.sessions.models import ModelCall, Usage
from orchestrator.sessions.reading.rows import Counts

_MOST_CHARACTERS: Final = 12
"""Characters per output token: what some versions wrote are placeholders, with 25 to 815."""
_FEWEST_CHARACTERS: Final = 2000
"""Below this the relation says nothing."""
_LARGEST: Final = 1 << 53
"""A larger number is none that Claude Code counted, and no database could add up some of them."""


def count_usage(counts: Counts | None) -> Usage:
    """Return the tokens of an answer; zero where the row does not say."""
    if counts is None:
        return Usage()
    return Usage(
        _check_count(counts.input_tokens),
        _check_count(counts.output_tokens),
        _check_count(counts.cache_read_input_tokens),
        _check_count(counts.cache_creation_input_tokens),
    )


def _check_count(count: int | None) -> int:
    return count if count and 0 < count <= _LARGEST else 0


def check_cost(cost: float | None) -> float | None:
    """Return what a row says to be the cost; None if that cannot be a cost."""
    is_cost = cost is not None and math.isfinite(cost) and 0 <= cost <= _LARGEST
    return cost if is_cost else None


def add_counts(counts: Iterable[int]) -> int:
    """Return the sum of numbers of tokens, not above the largest that can be stored."""
    return min(sum(counts), _LARGEST)


def is_same(counts: Counts, usage: Usage) -> bool:
    """Return whether a row repeats the tokens that are known: almost all do."""
    return (
        counts.output_tokens == usage.output
        and counts.cache_read_input_tokens == usage.cache_read
        and counts.cache_creation_input_tokens == usage.cache_write
        and counts.input_tokens == usage.input
    )


def take_larger(usage: Usage, counts: Counts) -> Usage:
    """Return the maximum of each number: the rows of one answer repeat them, some too early."""
    other = count_usage(counts)
    return Usage(
        max(usage.input, other.input),
        max(usage.output, other.output),
        max(usage.cache_read, other.cache_read),
        max(usage.cache_write, other.cache_write),
    )


def sum_usage(calls: Sequence[ModelCall]) -> Usage:
    """Return the tokens of several answers."""
    return Usage(
        add_counts(call.usage.input for call in calls),
        add_counts(call.usage.output for call in calls),
        add_counts(call.usage.cache_read for call in calls),
        add_counts(call.usage.cache_write for call in calls),
    )


def is_output_reliable(calls: Sequence[ModelCall]) -> bool:
    """Return whether the numbers of output tokens can be right.

    They cannot if there are too few for what was said, or if no answer says why it ended: such
    rows were written before the answer was complete.
    """
    if not calls:
        return True
    if not any(call.has_stop_reason for call in calls):
        return False
    characters = sum(call.characters for call in calls)
    tokens = sum(call.usage.output for call in calls)
    return characters < _FEWEST_CHARACTERS or characters <= _MOST_CHARACTERS * tokens
