"""Parse from a message when a usage limit ends.

Claude Code 2.1.329 writes `resets 3pm`, `resets 3:30pm (Europe/Berlin)`, and with the date if it is
more than a day away: `resets Nov 24, 3pm (UTC)`, `resets Jan 2, 2027, 3pm`. Older versions wrote
`Claude AI usage limit reached|1763737200`; the API writes `You will regain access on 2026-12-01 at
00:00 UTC`, and other agents `try again at Nov 24th, 2026 8:15 PM`, `try again in 2 days 3 hours` or
`"resets_in_seconds": 1234`.
"""

import re
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_ABBREVIATIONS: Final = {
    **dict.fromkeys(("pt", "pst", "pdt"), "America/Los_Angeles"),
    **dict.fromkeys(("mt", "mst", "mdt"), "America/Denver"),
    **dict.fromkeys(("ct", "cst", "cdt"), "America/Chicago"),
    **dict.fromkeys(("et", "est", "edt"), "America/New_York"),
    **dict.fromkeys(("cet", "cest"), "Europe/Paris"),
}
"""Zones by abbreviation. ZoneInfo knows few of them, and those without daylight saving time."""

_TRIGGER: Final = r"\b(?:resets?|try(?:ing)? again|retry|available again|regain access|until)"

_EPOCH: Final = re.compile(
    r"(?:limit reached ?\||\bresets?(?:[ _]?at)?[\"'\s:=|]{1,4})(\d{13}|\d{9,10})\b", re.IGNORECASE
)
_SECONDS: Final = re.compile(r"\bresets?_(?:in|after)_seconds\W{1,4}(\d{1,8})\b", re.IGNORECASE)
_ISO: Final = re.compile(
    rf"(?:{_TRIGGER}|\bresets?_?at)\W{{1,4}}(?:(?:on|at) )?(?P<date>\d{{4}}-\d\d-\d\d)"
    r"(?:(?:[T ]|,? at )(?P<time>\d\d:\d\d)(?::\d\d(?:\.\d+)?)?)?"
    r" ?\(?(?P<zone>Z\b|(?:UTC|GMT)?[+-]\d\d?(?::?\d\d)?|[A-Za-z][A-Za-z0-9_+\-/]+)?",
    re.IGNORECASE,
)


def _build_span_pattern(name: str, unit: str) -> str:
    return rf"(?:(?P<{name}>\d+|an?|one) ?(?:{unit})(?![a-z])(?:,| and)? ?)?"


_IN: Final = re.compile(
    rf"{_TRIGGER} (?:in|after) (?:about )?"
    + _build_span_pattern("weeks", "w|weeks?")
    + _build_span_pattern("days", "d|days?")
    + _build_span_pattern("hours", "h|hrs?|hours?")
    + _build_span_pattern("minutes", "m|mins?|minutes?")
    + _build_span_pattern("seconds", "s|secs?|seconds?"),
    re.IGNORECASE,
)

_WEEKDAY: Final = r"(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?\b"
_MONTH: Final = rf"(?:{'|'.join(_MONTHS)})[a-z]*\.?"
_ORDINAL: Final = r"(?:st|nd|rd|th)?"
_DATE: Final = (
    rf"(?:(?P<month>{_MONTH}) (?P<day>\d{{1,2}})(?!:|[ap]m){_ORDINAL}\b"
    rf"|(?P<day_first>\d{{1,2}}){_ORDINAL} (?P<month_last>{_MONTH}))(?:,? (?P<year>\d{{4}})\b)?"
)
_CLOCK: Final = (
    r"(?P<hour>\d{1,2})(?![\d-])(?::(?P<minute>\d{2})(?::\d{2})?)? ?(?P<half>[ap]\.?m\b\.?)?"
)
_ZONE: Final = (
    r"(?: ?\((?P<zone>[A-Za-z0-9_+\-/:]+)\)"
    rf"| (?P<bare>(?:UTC|GMT)(?:[+-]\d{{1,2}}(?::?\d{{2}})?)?|{'|'.join(_ABBREVIATIONS)})\b)?"
)
_AT: Final = re.compile(
    rf"{_TRIGGER}(?:[ :]+(?:on|at|after))?[ :]+"
    r"(?:(?P<relative>today|tomorrow)(?:[, ]+(?:at )?|\b))?"
    rf"(?:(?:next )?(?P<weekday>{_WEEKDAY})(?:[, ]+(?:at )?)?)?"
    rf"(?:{_DATE}(?:,? ?(?:at )?)?)?(?:{_CLOCK})?{_ZONE}",
    re.IGNORECASE,
)
_CLOCK_FIRST: Final = re.compile(
    rf"{_TRIGGER}(?:[ :]+at)?[ :]+{_CLOCK}{_ZONE},? (?:on )?"
    rf"(?:(?P<relative>today|tomorrow)|(?P<weekday>{_WEEKDAY})|{_DATE})",
    re.IGNORECASE,
)


def parse_reset_time(text: str, now: datetime) -> datetime | None:
    """Parse from a message when the limit ends.

    A time without a date is the next such time after `now`, in the zone of the message, else in
    that of `now`, which should be this machine's: the program shows local time. A date without a
    year is the next such date, except for one of the last 31 days.

    Args:
        text: the message.
        now: the current time, with its time zone.

    Returns:
        The time, with its zone; None when the message does not name one.
    """
    text = re.sub(r"\bmidnight\b", "12:00am", " ".join(text.split()), flags=re.IGNORECASE)
    text = re.sub(r"\bnoon\b", "12:00pm", text, flags=re.IGNORECASE)
    return (
        _parse_absolute_time(text, now)
        or _parse_time_span(text, now)
        or _parse_clock_time(text, now)
    )


def parse_timestamp(stamp: object) -> datetime | None:
    """Return the time of a time stamp; None if it is invalid.

    Args:
        stamp: seconds or milliseconds since 1970, or a date and time in ISO 8601.
    """
    try:
        if isinstance(stamp, str) and not stamp.isdigit():
            return datetime.fromisoformat(stamp).astimezone()
        seconds = float(stamp) if isinstance(stamp, int | float | str) else 0.0
        seconds = seconds / 1000 if seconds > 1e11 else seconds
        return datetime.fromtimestamp(seconds).astimezone() if seconds > 0 else None
    except (ValueError, OverflowError, OSError):
        return None


def _parse_absolute_time(text: str, now: datetime) -> datetime | None:
    if (found := _EPOCH.search(text)) and (moment := parse_timestamp(found[1])):
        return moment.astimezone(now.tzinfo)
    if not (found := _ISO.search(text)):
        return None
    try:
        written = f"{found['date']}T{found['time'] or '00:00'}"
        local = datetime.fromisoformat(written).replace(tzinfo=_resolve_zone(found["zone"], now))
    except ValueError:
        return None
    return local.astimezone(now.tzinfo)


def _parse_time_span(text: str, now: datetime) -> datetime | None:
    if found := _SECONDS.search(text):
        return now + timedelta(seconds=int(found[1]))
    if not (found := _IN.search(text)) or not any(found.groups()):
        return None
    try:
        return now + timedelta(
            **{
                unit: int(count) if count.isdigit() else 1
                for unit, count in found.groupdict().items()
                if count
            }
        )
    except OverflowError:
        return None


def _parse_clock_time(text: str, now: datetime) -> datetime | None:
    for pattern in (_CLOCK_FIRST, _AT):
        for found in pattern.finditer(text):
            try:
                if moment := _resolve_moment(found, now):
                    return moment
            except ValueError:  # the 30th of February, the 25th hour
                continue
    return None


def _resolve_moment(found: re.Match[str], now: datetime) -> datetime | None:
    zone = _resolve_zone(found["zone"] or found["bare"], now)
    local = now.astimezone(zone)
    if found["month"] or found["month_last"]:
        return _resolve_date(found, local)
    whole_day = found["weekday"] or (found["relative"] or "").lower() == "tomorrow"
    has_time = found["hour"] is not None and bool(found["minute"] or found["half"])
    if not has_time and (not whole_day or found["hour"] is not None):
        return None
    hour, minute = _parse_time_of_day(found) if has_time else (0, 0)
    moment = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if found["relative"] or found["weekday"]:
        return moment + timedelta(days=_count_days_ahead(found, moment, local))
    # The day is added to local time: across a change to daylight saving time, 3pm stays 3pm.
    return moment if moment > local else moment + timedelta(days=1)


def _resolve_date(found: re.Match[str], local: datetime) -> datetime:
    month = _MONTHS.index((found["month"] or found["month_last"]).lower()[:3]) + 1
    day = int(found["day"] or found["day_first"])
    hour, minute = _parse_time_of_day(found) if found["hour"] else (0, 0)
    year = int(found["year"] or local.year)
    # Raises ValueError for the 29th of February in most years.
    moment = local.replace(
        year=year, month=month, day=day, hour=hour, minute=minute, second=0, microsecond=0
    )
    if found["year"] or moment > local - timedelta(days=31):
        return moment
    return moment.replace(year=year + 1)


def _count_days_ahead(found: re.Match[str], moment: datetime, local: datetime) -> int:
    if relative := found["relative"]:
        return int(relative.lower() == "tomorrow")
    days = (_DAYS.index(found["weekday"].lower()[:3]) - local.weekday()) % 7
    return 7 if not days and moment <= local else days


def _parse_time_of_day(found: re.Match[str]) -> tuple[int, int]:
    hour, minute, half = int(found["hour"]), int(found["minute"] or 0), found["half"]
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour}{half} is not a time")
        hour = hour % 12 + 12 * (half.lower().startswith("p"))
    return hour, minute


def _resolve_zone(name: str | None, now: datetime) -> tzinfo | None:
    """Return the named zone; that of `now` if there is no name or the zone is unknown."""
    if not name:
        return now.tzinfo
    if name.upper() in ("UTC", "GMT", "Z"):
        return ZoneInfo("UTC")
    if found := re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2})(?::?(\d{2}))?", name, re.IGNORECASE):
        offset = timedelta(hours=int(found[2]), minutes=int(found[3] or 0))
        return timezone(-offset if found[1] == "-" else offset)
    try:
        return ZoneInfo(_ABBREVIATIONS.get(name.lower(), name))
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return now.tzinfo
