"""Write counts with their nouns, for people."""

from collections.abc import Sequence


def format_count(count: int, noun: str, plural: str = "") -> str:
    """Return a count with its noun: `1 run`, `2 runs`, `3 processes`.

    Args:
        count: how many.
        noun: what is counted, in the singular; the last word of several gets the `s`.
        plural: its plural, if that is not the noun with an `s`.
    """
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {plural or f'{noun}s'}"


def name_first(names: Sequence[str], most: int = 3) -> str:
    """Return the first of several names, and how many more there are: `a, b, c and 2 more`."""
    named = ", ".join(names[:most])
    return f"{named} and {len(names) - most} more" if names[most:] else named
