"""The option `--since`: how long ago, or a date."""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import click

_UNITS: Final = {"h": 1, "d": 24, "w": 7 * 24}
_LONGEST_HOURS: Final = 24 * 36_500


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Return the time that `7d`, `24h`, `2w` or `2026-11-28` means; a date is in the local zone.

    Raises:
        ValueError: it means none.
    """
    now = now or datetime.now(UTC)
    if found := re.fullmatch(r"\s*(\d{1,6})\s*([hdw])\s*", text, re.IGNORECASE | re.ASCII):
        hours = int(found[1]) * _UNITS[found[2].lower()]
        if hours > _LONGEST_HOURS:
            raise ValueError("it is more than 100 years")
        return now - timedelta(hours=hours)
    return datetime.fromisoformat(text.strip()).astimezone()


class Since(click.ParamType[datetime]):
    """A time in the past."""

    name = "time"

    def convert(
        self,
        value: str | datetime,
        param: click.Parameter | None,
        ctx: click.Context | None,
    ) -> datetime:
        """Return the time that a word of the command line means."""
        if isinstance(value, datetime):
            return value
        try:
            return parse_since(value)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no time; give `7d`, `24h`, `2w` or `2026-11-28`", param, ctx)
