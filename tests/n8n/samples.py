"""Failures of which no two are alike: n8n remembers what it was asked."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.teacher.samples import FAILURE

if TYPE_CHECKING:
    from teacher.models import Failure

_numbers = itertools.count(1)


def new_failure(failure: Failure = FAILURE) -> Failure:
    """The failure, with a context that no other one has."""
    return replace(failure, context=f"{failure.context} (case {next(_numbers)})")
