"""The option `--since`: how long ago, or a date."""

from datetime import UTC, datetime

from orchestrator.cli.durations import find_duration


def parse_since(text: str, now: datetime | None = None) -> datetime:
    """Return the time that `7d`, `24h`, `2w` or `2026-11-28` means; a date is in the local zone.

    Raises:
        ValueError, OverflowError: it means none.
    """
    if duration := find_duration(text):
        return (now or datetime.now(UTC)) - duration
    return datetime.fromisoformat(text.strip()).astimezone()


def parse_past_time(text: str) -> datetime:
    """Return the time in the past that a word of the command line means; the type of an option.

    Raises:
        ValueError: it means none, or one in the future; click shows the message.
    """
    try:
        at = parse_since(text)
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{text!r} is no time; give `7d`, `24h`, `2w` or `2026-11-28`") from error
    if at > datetime.now(UTC):
        raise ValueError(f"{text} is in the future")
    return at
