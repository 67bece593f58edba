"""The user's time zone, with its summer time.

`datetime.astimezone()` gives the offset of one moment as a fixed zone: a day in another season
would begin an hour too early or too late.
"""

from datetime import UTC, datetime, timedelta, tzinfo


class LocalZone(tzinfo):
    """The time zone of this process: that of `TZ`, or else the machine's."""

    def utcoffset(self, moment: datetime | None, /) -> timedelta | None:
        """Return the offset at a local time; of two equal ones, `fold` says which."""
        return _localize(moment).utcoffset() if moment else None

    def dst(self, moment: datetime | None, /) -> timedelta | None:
        """Return None: the system does not say."""
        return None

    def tzname(self, moment: datetime | None, /) -> str | None:
        """Return the name of the zone at a local time, as in `CEST`."""
        return _localize(moment).tzname() if moment else None

    def fromutc(self, moment: datetime, /) -> datetime:
        """Return the local time of a moment that is given in UTC."""
        local = moment.replace(tzinfo=UTC).astimezone()
        is_second = _localize(local).utcoffset() != local.utcoffset()
        return local.replace(tzinfo=self, fold=int(is_second))


def _localize(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None).astimezone()
