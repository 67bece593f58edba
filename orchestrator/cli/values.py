"""How plain values are shown to people."""

import json
from typing import Any


def format_yaml(value: object) -> str:
    """A value on one line of YAML (JSON is YAML)."""
    from pydantic_core import to_jsonable_python

    return json.dumps(to_jsonable_python(value), ensure_ascii=False)


def format_duration(seconds: float) -> str:
    """A duration: `0.4 s`, `12 s`, `3:05 min`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"


def format_tokens(tokens: int) -> str:
    """A count of tokens: `812`, `12.3k`, `1.2M`."""
    if tokens < 1000:
        return str(tokens)
    if tokens < 1_000_000:
        return f"{tokens / 1000:.1f}k"
    return f"{tokens / 1_000_000:.1f}M"


def format_dollars(amount: float) -> str:
    """An amount of money, with enough digits to be more than nothing."""
    return f"${amount:.2f}" if amount >= 0.1 or amount == 0 else f"${amount:.4f}"


def sanitize_text(text: Any) -> str:  # noqa: ANN401 -- whatever a child printed
    """Text from outside without the control characters that would steer the terminal."""
    return "".join(
        character if character.isprintable() or character in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for character in str(text)
    )
