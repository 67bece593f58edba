"""When a usage limit is lifted, as Claude Code words it.

Seen in the program (2.1.329): `resets 3pm`, `resets 3:30pm (Europe/Berlin)`, and with the day once
it is more than a day away: `resets Nov 24, 3pm (UTC)`, `resets Jan 2, 2027, 3pm`. Older programs
said `Claude AI usage limit reached|1763737200`.
"""

import re
from datetime import datetime, timedelta, tzinfo
from typing import Final
from zoneinfo import ZoneInfo

_MONTHS: Final = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
_DAYS: Final = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_EPOCH: Final = re.compile(r"limit reached\|(\d{9,10})\b")

_IN: Final = re.compile(
    r"\b(?:resets?|try again) in (?:(?P<days>\d+) ?d\w*)?[ ,]*(?:(?P<hours>\d+) ?h\w*)?[ ,]*"
    r"(?:(?P<minutes>\d+) ?m\w*)?",
    re.IGNORECASE,
)

_AT: Final = re.compile(
    r"\b(?:resets?|try again)(?: (?:on|at))?[ ]+"
    r"(?:(?P<relative>today|tomorrow)[, ]+(?:at )?)?"
    rf"(?:(?P<weekday>{'|'.join(_DAYS)})[a-z]*[, ]+(?:at )?)?"
    rf"(?:(?P<month>{'|'.join(_MONTHS)})[a-z]* (?P<day>\d{{1,2}})(?!:)\b(?:, (?P<year>\d{{4}}))?"
    r"(?:,? ?(?:at )?)?)?"
    r"(?:(?P<hour>\d{1,2})(?::(?P<minute>\d{2}))?[ \u202f]?(?P<half>[ap]m)?)?"
    r"(?: ?\((?P<zone>[A-Za-z0-9_+\-/]+)\))?",
    re.IGNORECASE,
)


def reset_time(text: str, now: datetime) -> datetime | None:
    """Read from a message when the limit is lifted.

    A time of day without a day is the next such time after `now` in the zone named, else in the
    zone of `now`, which is to be this machine's: the program shows local time. So is a day without
    a year the next such day.

    Args:
        text: the message.
        now: the present, with its time zone.

    Returns:
        The moment, with its time zone; None when the message does not tell it.
    """
    if found := _EPOCH.search(text):
        return datetime.fromtimestamp(int(found[1]), now.tzinfo)
    if (found := _IN.search(text)) and any(found.groups()):
        parts = {unit: int(value or 0) for unit, value in found.groupdict().items()}
        return now + timedelta(**parts)
    for found in _AT.finditer(text):
        try:
            if moment := _moment(found, now):
                return moment
        except ValueError:  # the 30th of February, the 25th hour
            continue
    return None


def _moment(found: re.Match[str], now: datetime) -> datetime | None:
    zone = _zone(found["zone"], now)
    local = now.astimezone(zone)
    if found["month"]:
        return _on_date(found, local)
    if found["hour"] is None or not (found["minute"] or found["half"]):
        return None
    hour, minute = _time_of_day(found)
    moment = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    if found["relative"] or found["weekday"]:
        return moment + timedelta(days=_days_ahead(found, moment, local))
    # Days are added to the wall clock: across a change to or from summer time, 3pm stays 3pm.
    return moment if moment > local else moment + timedelta(days=1)


def _on_date(found: re.Match[str], local: datetime) -> datetime:
    month, day = _MONTHS.index(found["month"].lower()[:3]) + 1, int(found["day"])
    hour, minute = _time_of_day(found) if found["hour"] else (0, 0)
    year = int(found["year"] or local.year)
    # Of the 29th of February there is not one in every year.
    moment = local.replace(
        year=year, month=month, day=day, hour=hour, minute=minute, second=0, microsecond=0
    )
    if found["year"] or moment > local - timedelta(days=31):
        return moment
    return moment.replace(year=year + 1)


def _days_ahead(found: re.Match[str], moment: datetime, local: datetime) -> int:
    if relative := found["relative"]:
        return int(relative.lower() == "tomorrow")
    days = (_DAYS.index(found["weekday"].lower()[:3]) - local.weekday()) % 7
    return 7 if not days and moment <= local else days


def _time_of_day(found: re.Match[str]) -> tuple[int, int]:
    hour, minute, half = int(found["hour"]), int(found["minute"] or 0), found["half"]
    if half:
        if not 1 <= hour <= 12:
            raise ValueError(f"{hour}{half} is no time")
        hour = hour % 12 + 12 * (half.lower() == "pm")
    return hour, minute


def _zone(name: str | None, now: datetime) -> tzinfo | None:
    """The zone that is named; that of `now` when none is, or one that is unknown here."""
    try:
        return ZoneInfo(name) if name else now.tzinfo
    except (KeyError, OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        return now.tzinfo
