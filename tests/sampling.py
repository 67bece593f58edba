"""Mark a fixed sample of many equal cases: targets of their own run all of them.

What has the mark `long` is run by `make test-whole` alone, and not by CI. Kills have the mark
`kills_sample` beside `kills`: of numbered ones it is every sixth; of the kills in comparisons it is
a number of them that are spread over each step as all of them are.
"""

from collections.abc import Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

Case = TypeVar("Case")

_WHOLE = (pytest.mark.whole, pytest.mark.long)


def sample_every_sixth(cases: Iterable[Case]) -> list[ParameterSet]:
    """Return kills as parameters of a test, every sixth of them with the mark of the sample."""
    return _mark_cases(cases, 6, sample=(pytest.mark.kills_sample,))


def leave_to_whole(cases: Iterable[Case]) -> list[ParameterSet]:
    """Return cases as parameters of a test: all but every third are for `make test-whole`."""
    return _mark_cases(cases, 3, others=_WHOLE)


def leave_out_long(cases: Iterable[Case]) -> list[ParameterSet]:
    """Return cases of a `whole` test as parameters, all but every third with the mark `long`."""
    return _mark_cases(cases, 3, others=(pytest.mark.long,))


def _mark_cases(
    cases: Iterable[Case],
    step: int,
    sample: tuple[pytest.MarkDecorator, ...] = (),
    others: tuple[pytest.MarkDecorator, ...] = (),
) -> list[ParameterSet]:
    return [
        pytest.param(case, marks=others if at % step else sample) for at, case in enumerate(cases)
    ]
