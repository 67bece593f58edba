"""Read what an answer cost. Servers and workflows may report anything, or nothing.

An impossible bill becomes `UNKNOWN_USAGE`, for which the ledger counts what it reserved: a negative
bill would give room under the limits, and an absurd one would use them up.
"""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

from teacher.catalog import ALIASES
from teacher.models import UNKNOWN_USAGE, Usage
from teacher.prices import price_usage

_MOST_INPUT: Final = 1_000_000
"""The largest context of any model, in tokens, cached ones included."""
_MOST_OUTPUT: Final = 128_000
"""The longest answer of any model, in tokens."""

_LONGEST_NAME: Final = 200
"""Most characters of a model's name that are kept."""

_NAMES: Final = {
    "input_tokens": ("input_tokens",),
    "output_tokens": ("output_tokens",),
    "cache_read_tokens": ("cache_read_tokens", "cache_read_input_tokens"),
    "cache_write_tokens": ("cache_write_tokens", "cache_creation_input_tokens"),
}
"""The counts by their names in the shipped workflow, and in `usage` of the Messages API."""


class Bill(BaseModel):
    """The model and the tokens that a workflow adds to an answer.

    An answer that does not have them, such as one of n8n itself, is read as one without a bill.
    """

    model_config = ConfigDict(extra="ignore", arbitrary_types_allowed=True)

    model: str = ""
    usage: Usage = Usage()

    @field_validator("model", mode="before")
    @classmethod
    def _read_name(cls, value: object) -> object:
        return value[:_LONGEST_NAME].encode("ascii", "replace") if isinstance(value, str) else ""

    @field_validator("usage", mode="before")
    @classmethod
    def _read_counts(cls, value: object) -> Usage:
        return Usage() if value is None else read_counts(value)

    @property
    def cost(self) -> Usage:
        """The tokens with their price."""
        return price_counts(ALIASES.get(self.model, self.model), self.usage)


def read_bill(answer: Mapping[str, object]) -> Bill:
    """Return the bill in an answer."""
    try:
        return Bill.model_validate(dict(answer))
    except ValidationError:
        return Bill()


def read_counts(value: object) -> Usage:
    """Return token counts, or `UNKNOWN_USAGE` if no call of a model can have used them."""
    if not isinstance(value, Mapping):
        return UNKNOWN_USAGE
    counts = {}
    for field, names in _NAMES.items():
        count = next((value[name] for name in names if value.get(name) is not None), 0)
        if type(count) is not int or count < 0:  # `True` is an int, too
            return UNKNOWN_USAGE
        counts[field] = count
    usage = Usage(**counts)
    if usage.output_tokens > _MOST_OUTPUT or usage.tokens - usage.output_tokens > _MOST_INPUT:
        return UNKNOWN_USAGE
    return usage


def price_counts(model: str, usage: Usage) -> Usage:
    """Return token counts with their price in US dollars."""
    return usage if usage == UNKNOWN_USAGE else price_usage(model, usage)
