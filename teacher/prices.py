"""Calculate the cost of model calls, in US dollars.

Prices come from the genai-prices library, from the file that it ships with: nothing is downloaded.
`OWN_PRICES` adds the models that it lacks, each with source and date. The library is slow to
import, so it is imported on first use.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING

from teacher.models import Usage

if TYPE_CHECKING:
    import genai_prices
    from genai_prices.types import Provider

_MILLION = 1_000_000
_MOST_TOKENS = 10**9
"""Limit for each kind of token in one call: a thousand times the largest context of any model."""
_LONGEST_NAME = 60
"""Limit in characters for a name in a message: a workflow may answer with any text as name."""


@dataclass(frozen=True)
class OwnPrice:
    """A price that genai-prices lacks: US dollars per million tokens of each kind.

    Cache writes are those that live five minutes.
    """

    input: float
    output: float
    cache_read: float
    cache_write: float
    source: str
    seen: date

    def calculate_cost(self, usage: Usage) -> float:
        """Return the US dollars for the tokens of one call."""
        return (
            usage.input_tokens * self.input
            + usage.output_tokens * self.output
            + usage.cache_read_tokens * self.cache_read
            + usage.cache_write_tokens * self.cache_write
        ) / _MILLION


_PRICE_SOURCE = (
    "`costUSD` of Claude Code 2.1.329, against a loopback API that reported 100,000 tokens"
)

OWN_PRICES = {
    "claude-mythos-5": OwnPrice(10, 50, 1, 12.5, _PRICE_SOURCE, date(2026, 11, 20)),
    "claude-mythos-5-1": OwnPrice(10, 50, 0.25, 12.5, _PRICE_SOURCE, date(2026, 11, 20)),
}


def price_usage(model: str, usage: Usage) -> Usage:
    """Return the token counts of one call, clamped, with their cost."""
    return replace(_clamp_usage(usage), cost_usd=calculate_cost(model, usage))


def _clamp_usage(usage: Usage) -> Usage:
    """Return the counts, limited to what one call can use, because servers may report anything.

    A negative count would lower the bill, and a huge one would break every sum.
    """

    def bound(count: int) -> int:
        return min(max(0, count), _MOST_TOKENS)

    return Usage(
        bound(usage.input_tokens),
        bound(usage.output_tokens),
        bound(usage.cache_read_tokens),
        bound(usage.cache_write_tokens),
        usage.cost_usd,
    )


def calculate_cost(model: str, usage: Usage, at: datetime | None = None) -> float:
    """Return the US dollars for the tokens of one call; `usage.cost_usd` is ignored.

    An unknown model costs as much as the most expensive known Claude model, so that a spending
    limit is reached too early rather than too late.

    Args:
        model: the model's name, of any vendor.
        usage: the tokens that were billed.
        at: when the call was made, because prices change; now if None.
    """
    billed = _clamp_usage(usage)
    at = at or datetime.now(UTC)
    known = _find_library_cost(model, billed, at)
    if known is not None:
        return known
    if own := OWN_PRICES.get(_strip_model_name(model)):
        return own.calculate_cost(billed)
    return _calculate_highest_cost(billed, at)


def build_price_notice(model: str) -> str:
    """Return a line for the user if the price of a model is not known; empty otherwise."""
    now = datetime.now(UTC)
    if (
        _strip_model_name(model) in OWN_PRICES
        or _find_library_cost(model, Usage(1, 1), now) is not None
    ):
        return ""
    per_input = _calculate_highest_cost(Usage(input_tokens=_MILLION), now)
    per_output = _calculate_highest_cost(Usage(output_tokens=_MILLION), now)
    name = model.strip()[:_LONGEST_NAME] or "the model"
    return (
        f"the price of {name} is not known; it is counted like the most expensive Claude model: "
        f"${per_input:g} per million tokens in, ${per_output:g} out"
    )


def _find_library_cost(model: str, usage: Usage, at: datetime) -> float | None:
    import genai_prices

    for name in dict.fromkeys((model, _strip_model_name(model))):
        with suppress(LookupError, ValueError):
            priced = genai_prices.calc_price(
                _convert_usage(usage), name, genai_request_timestamp=at
            )
            # For models that are not billed by tokens, but by the minute, the library returns 0.
            if priced.total_price or not usage.tokens or name.endswith(":free"):
                return float(priced.total_price)
    return None


def _strip_model_name(model: str) -> str:
    """Return a model's name without the prefixes and suffixes of clouds and routers.

    Examples are `eu.anthropic.claude-sonnet-5-5-20260901-v1:0` and `anthropic/claude-sonnet-5-5`.
    """
    name = model.rpartition("/")[2].strip().lower()
    found = re.search(r"claude-[a-z0-9.-]+?(?=(?:-v\d+)?(?:[:@]|$))", name)
    return found[0] if found else name


def _calculate_highest_cost(usage: Usage, at: datetime) -> float:
    counts, provider = _convert_usage(usage), _load_anthropic_provider()
    prices = [
        float(model.calc_price(counts, provider, genai_request_timestamp=at).total_price)
        for model in provider.models
    ]
    return max(*prices, *(own.calculate_cost(usage) for own in OWN_PRICES.values()))


@cache
def _load_anthropic_provider() -> Provider:
    from genai_prices.data_snapshot import get_snapshot

    return get_snapshot().find_provider(None, "anthropic", None)


def _convert_usage(usage: Usage) -> genai_prices.Usage:
    import genai_prices

    read, write = usage.cache_read_tokens, usage.cache_write_tokens
    return genai_prices.Usage(
        input_tokens=usage.input_tokens + read + write,  # genai-prices expects cached ones included
        output_tokens=usage.output_tokens,
        cache_read_tokens=read,
        cache_write_tokens=write,
    )
