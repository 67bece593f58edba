"""The option `--since`: how long ago, or a date."""

from datetime import UTC, datetime

import click

from orchestrator.cli.durations import find_duration


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Return the time that `7d`, `24h`, `2w` or `2026-11-28` means; a date is in the local zone.

    Raises:
        ValueError, OverflowError: it means none.
    """
    if duration := find_duration(text):
        return (now or datetime.now(UTC)) - duration
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
            at = parse_since(value)
        except (ValueError, OverflowError, OSError):
            self.fail(f"{value!r} is no time; give `7d`, `24h`, `2w` or `2026-11-28`", param, ctx)
        if at > datetime.now(UTC):
            self.fail(f"{value} is in the future", param, ctx)
        return at
