"""Format plain values for people."""

import json
from typing import Any

from orchestrator.counts import format_count
from orchestrator.visible_text import show_hidden


def format_yaml(value: object) -> str:
    """Return a value as one line of YAML; JSON is valid YAML."""
    from pydantic_core import to_jsonable_python

    return json.dumps(to_jsonable_python(value), ensure_ascii=False)


def format_duration(seconds: float) -> str:
    """Return a duration as `0.4 s`, `12 s` or `3:05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def format_tokens(tokens: int) -> str:
    """Return a count of tokens as `812 tokens`, `12.3k tokens` or `1.2M tokens`."""
    if tokens < 1000:
        return format_count(tokens, "token")
    if tokens < 1_000_000:
        return f"{tokens / 1000:.1f}k tokens"
    return f"{tokens / 1_000_000:.1f}M tokens"


def format_dollars(amount: float) -> str:
    """Return an amount in dollars, with four digits if two would show `$0.00` or little more."""
    return f"${amount:.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def sanitize_text(text: Any) -> str:  # noqa: ANN401 -- whatever a child printed
    """Return a text from outside as it may be shown in a terminal: nothing in it acts or hides."""
    return show_hidden(str(text))


def shorten_text(text: str, limit: int) -> str:
    """Return a text with its middle replaced if it is longer than `limit`: a hint is at the end."""
    if len(text) <= limit:
        return text
    left_out = f" ... ({len(text) - limit:,} characters left out) ... "
    return f"{text[: limit // 2]}{left_out}{text[len(text) - limit // 2 :]}"
