"""Limits that a busy machine may not be done within: then it gets more."""

from collections.abc import Iterator

import pytest


def iter_growing_limits(seconds: float) -> Iterator[float]:
    """Yield a limit, and longer ones, until the test has seen what it is about, and leaves.

    For what happens at a limit: how long it takes to get there is the machine's affair.
    """
    limit = seconds
    for _ in range(7):
        yield limit
        limit *= 2
    pytest.fail(f"it was not to be seen within {limit / 2:g} seconds")
