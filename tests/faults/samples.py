"""The sample of the kills that `make test-kills-sample` runs: fixed, and of every phase.

Tests have the marker `kills_sample` beside `kills`. Of numbered ones it is every third; of the
kills in comparisons it is a number of them that are spread over each step as all of them are.
"""

from collections.abc import Iterable
from typing import Final

import pytest

STEP: Final = 3


def sample_every_third(numbers: Iterable[int]) -> list[object]:
    """Return numbers as parameters of a test, every third of them with the mark of the sample."""
    return [
        pytest.param(number, marks=[] if position % STEP else [pytest.mark.kills_sample])
        for position, number in enumerate(numbers)
    ]
