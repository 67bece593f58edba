"""A few statistics on lists of numbers."""

from collections.abc import Sequence


def mean(values: Sequence[float]) -> float | None:
    """Give the arithmetic mean, or None for no values."""
    if not values:
        return None
    return sum(values) / len(values)


def median(values: Sequence[float]) -> float | None:
    """Give the value in the middle, or None for no values."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[len(ordered) // 2]


def moving_average(values: Sequence[float], window: int) -> list[float]:
    """Give the mean of each run of `window` neighbouring values, from the first to the last."""
    if window < 1:
        raise ValueError("a window holds at least one value")
    return [
        sum(values[start : start + window]) / window
        for start in range(len(values) - window)
    ]
