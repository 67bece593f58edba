"""Read durations as people write them: `30d`, `24h`, `2w`."""

import re
from datetime import timedelta
from typing import Final

import click

_DURATION: Final = re.compile(r"(\d{1,5})\s*([hdw])", re.IGNORECASE | re.ASCII)
_UNITS: Final = {
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


def find_duration(text: str) -> timedelta | None:
    """Return the duration that a text says; None if it says none, or nothing."""
    found = _DURATION.fullmatch(text.strip())
    return (int(found[1]) * _UNITS[found[2].lower()] or None) if found else None


def parse_duration(
    _context: click.Context, _option: click.Parameter, value: str | None
) -> timedelta | None:
    """Return the value of an option as a duration; None if it is not given.

    Raises:
        BadParameter: it is no number of hours, days or weeks.
    """
    if value is None:
        return None
    found = find_duration(value)
    if found is None:
        raise click.BadParameter(f"{value!r} is no duration: write it as 24h, 30d or 2w")
    return found
