"""Take a sample of many equal cases: the others are long, and no part of CI."""

from collections.abc import Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

Case = TypeVar("Case")


def mark_long(cases: Iterable[Case], every: int = 3) -> list[ParameterSet]:
    """Return the cases as parameters; all but each third have the mark `long`."""
    return [
        pytest.param(case, marks=() if at % every == 0 else pytest.mark.long)
        for at, case in enumerate(cases)
    ]
