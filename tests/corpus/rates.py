"""Shares of a number of cases, with their intervals, and limits for them."""

import math
from dataclasses import dataclass
from typing import Final

_Z: Final = 1.959964
"""The quantile of the normal distribution for an interval of 95 %."""


@dataclass(frozen=True)
class Rate:
    """So many of so many."""

    hits: int
    total: int

    @property
    def value(self) -> float:
        """Return the share; 1 of nothing."""
        return self.hits / self.total if self.total else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Return Wilson's interval of 95 %."""
        if not self.total:
            return 0.0, 1.0
        share, n, z2 = self.hits / self.total, self.total, _Z**2
        middle = (share + z2 / (2 * n)) / (1 + z2 / n)
        half = _Z / (1 + z2 / n) * math.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
        return max(0.0, middle - half), min(1.0, middle + half)

    def __str__(self) -> str:
        low, high = self.interval
        return f"{self.value:.2f} [{low:.2f}, {high:.2f}] ({self.hits} of {self.total})"


def holds(misses: Rate, limit: float, *, sample: bool) -> bool:
    """Return whether the share of misses is within a limit.

    A sample may have one miss where the limit is not 0: ten cases cannot show a twentieth.
    """
    allowed = limit * misses.total + 1e-9
    if sample and limit:
        allowed = max(allowed, 1)
    return misses.hits <= allowed
