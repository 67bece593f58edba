"""Failures that are all different, because n8n stores the answer to each request."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.teacher.samples import FAILURE

if TYPE_CHECKING:
    from teacher.models import Failure

_numbers = itertools.count(1)


def new_failure(failure: Failure = FAILURE) -> Failure:
    """Return the failure with a unique context."""
    return replace(failure, context=f"{failure.context} (case {next(_numbers)})")
