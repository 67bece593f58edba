"""Which models there are, what they cost, and what replaces one that is gone.

Names and end-of-life dates are those of the anthropic SDK 2.11.0 (`types/model.py`,
`DEPRECATED_MODELS`). Prices are the ones that Claude Code 2.1.329 bills with: each was read from
`costUSD` of the real program against a loopback Messages API that reported 100,000 tokens of one
kind (input, output, cache read, five-minute cache write), in 2026-11.
"""

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from teacher.models import Usage

DEFAULT_MODEL = "claude-sonnet-5-5"


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens of each kind. Cache writes are those that live 5 minutes."""

    input: float
    output: float
    cache_read: float
    cache_write: float


@dataclass(frozen=True)
class Model:
    """A model as the teacher uses it.

    `notice` is a line for the user when it is not the model that was asked for, or soon will not
    be there. `long_price` holds for the whole call once its prompt is longer than `LONG_PROMPT`.
    """

    id: str
    price: Price
    long_price: Price | None = None
    notice: str = ""

    def cost(self, usage: Usage) -> float:
        """US dollars for the tokens of one call (whatever `usage.cost_usd` says)."""
        prompt = usage.input_tokens + usage.cache_read_tokens + usage.cache_write_tokens
        price = self.long_price if self.long_price and prompt > LONG_PROMPT else self.price
        return (
            usage.input_tokens * price.input
            + usage.output_tokens * price.output
            + usage.cache_read_tokens * price.cache_read
            + usage.cache_write_tokens * price.cache_write
        ) / 1_000_000


LONG_PROMPT = 100_000
"""Tokens of prompt, cached ones included, beyond which `long_price` holds: found by bisection."""

_FABLE_5 = Price(10, 50, 1, 12.5)
_FABLE_5_1 = Price(10, 50, 0.25, 12.5)
_FABLE_5_2 = Price(8, 40, 0.2, 10)
_OPUS_5_5 = Price(4, 20, 0.2, 5)
_OPUS = Price(5, 25, 0.5, 6.25)
_SONNET_5_5 = Price(2, 10, 0.1, 2.5)
_SONNET_5 = Price(2, 10, 0.2, 2.5)
_SONNET_4 = Price(3, 15, 0.3, 3.75)
_HAIKU_5_5 = Price(0.1, 0.5, 0.01, 0.125)
_HAIKU_5_5_LONG = Price(0.5, 2.5, 0.05, 0.625)
_HAIKU_4_5 = Price(1, 5, 0.1, 1.25)

CURRENT: dict[str, Model] = {
    model.id: model
    for model in (
        Model("claude-sonnet-5-5", _SONNET_5_5),
        Model("claude-haiku-5-5", _HAIKU_5_5, _HAIKU_5_5_LONG),
        Model("claude-opus-5-5", _OPUS_5_5),
        Model("claude-fable-5-2", _FABLE_5_2),
        Model("claude-mythos-5-2", _FABLE_5_2),
        Model("claude-fable-5-1", _FABLE_5_1),
        Model("claude-mythos-5-1", _FABLE_5_1),
        Model("claude-sonnet-5", _SONNET_5),
        Model("claude-fable-5", _FABLE_5),
        Model("claude-mythos-5", _FABLE_5),
        Model("claude-opus-5", _OPUS),
        Model("claude-opus-4-8", _OPUS),
        Model("claude-opus-4-7", _OPUS),
        Model("claude-opus-4-6", _OPUS),
        Model("claude-opus-4-5", _OPUS),
        Model("claude-opus-4-5-20251101", _OPUS),
        Model("claude-sonnet-4-6", _SONNET_4),
        Model("claude-sonnet-4-5", _SONNET_4),
        Model("claude-sonnet-4-5-20250929", _SONNET_4),
        Model("claude-haiku-4-5", _HAIKU_4_5),
        Model("claude-haiku-4-5-20251001", _HAIKU_4_5),
    )
}

ALIASES = {
    "sonnet": "claude-sonnet-5-5",
    "haiku": "claude-haiku-5-5",
    "opus": "claude-opus-5-5",
    "fable": "claude-fable-5-2",
}

_REPLACED_BY = {
    "claude-sonnet-5-5": (
        "claude-1.3",
        "claude-1.3-100k",
        "claude-2.0",
        "claude-2.1",
        "claude-3-sonnet-20240229",
        "claude-3-5-sonnet-20240620",
        "claude-3-5-sonnet-20241022",
        "claude-3-5-sonnet-latest",
        "claude-3-7-sonnet-20250219",
        "claude-3-7-sonnet-latest",
        "claude-sonnet-4-0",
        "claude-sonnet-4-20250514",
    ),
    "claude-haiku-5-5": (
        "claude-instant-1.1",
        "claude-instant-1.1-100k",
        "claude-instant-1.2",
        "claude-3-haiku-20240307",
        "claude-3-5-haiku-20241022",
        "claude-3-5-haiku-latest",
    ),
    "claude-opus-5-5": (
        "claude-3-opus-20240229",
        "claude-3-opus-latest",
        "claude-opus-4-0",
        "claude-opus-4-20250514",
        "claude-opus-4-1",
        "claude-opus-4-1-20250805",
    ),
    "claude-mythos-5-2": ("claude-mythos-preview",),
}

RETIRED: dict[str, str] = {
    name: replacement for replacement, names in _REPLACED_BY.items() for name in names
}
"""Names that the API no longer knows, each with what replaces it."""

RETIRING: dict[str, tuple[date, str]] = {
    "claude-sonnet-4-5": (date(2026, 11, 30), "claude-sonnet-5-5"),
    "claude-sonnet-4-5-20250929": (date(2026, 11, 30), "claude-sonnet-5-5"),
}
"""Names that still answer, with their last day and what replaces them."""


def resolve(name: str, today: date | None = None) -> Model:
    """The model to use for a configured name, with a notice where the user should know something.

    A retired name gives its replacement, so that an old config works. A name that is not in the
    catalogue is passed on as it is (the API is the judge of it) and billed like
    `claude-opus-5-5`, as Claude Code does, so that a new model is rather over- than under-counted.

    Args:
        name: A model's name or one of `ALIASES`.
        today: The day to judge by; now, in UTC, when not given.
    """
    name = ALIASES.get(name, name)
    if name in RETIRED:
        return _in_place_of(name, RETIRED[name])
    if name in RETIRING:
        last_day, replacement = RETIRING[name]
        if (today or datetime.now(UTC).date()) > last_day:
            return _in_place_of(name, replacement)
        notice = f"{name} retires on {last_day}; set teacher.model to {replacement}"
        return replace(CURRENT[name], notice=notice)
    return CURRENT.get(name) or Model(name, _OPUS_5_5)


def _in_place_of(name: str, replacement: str) -> Model:
    notice = f"{name} was retired; using {replacement} instead; set teacher.model to silence this"
    return replace(CURRENT[replacement], notice=notice)
