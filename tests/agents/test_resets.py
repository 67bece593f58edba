"""When a usage limit ends: zones, days, years, and messages without a reset."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.agents.resets import parse_reset_time

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
NOON = datetime(2026, 11, 21, 12, 0, tzinfo=BERLIN)  # a Saturday
SEP = " · "


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("resets 3pm (Europe/Berlin)", "2026-11-21T15:00+01:00"),
        ("resets 3:30pm (Europe/Berlin)", "2026-11-21T15:30+01:00"),
        ("resets at 3pm (Europe/Berlin)", "2026-11-21T15:00+01:00"),
        ("resets 3pm", "2026-11-21T15:00+01:00"),
        ("resets 15:00", "2026-11-21T15:00+01:00"),
        ("resets 3PM (UTC)", "2026-11-21T16:00+01:00"),
        ("resets 3 pm (America/New_York)", "2026-11-21T21:00+01:00"),
        # past today, so tomorrow; and the day in that zone, not the local one
        ("resets 11am (Europe/Berlin)", "2026-11-22T11:00+01:00"),
        ("resets 12pm (Europe/Berlin)", "2026-11-22T12:00+01:00"),
        ("resets 12am", "2026-11-22T00:00+01:00"),
        ("resets 12:30am (Asia/Tokyo)", "2026-11-21T16:30+01:00"),
        ("resets 5am (America/New_York)", "2026-11-22T11:00+01:00"),
        # days and years
        ("resets Nov 24, 3pm (Europe/Berlin)", "2026-11-24T15:00+01:00"),
        ("resets Nov 24 at 3pm (Europe/Berlin)", "2026-11-24T15:00+01:00"),
        ("resets November 24, 3pm", "2026-11-24T15:00+01:00"),
        ("resets Jan 2, 3pm (UTC)", "2027-01-02T16:00+01:00"),
        ("resets Jan 2, 2027, 3:15pm (UTC)", "2027-01-02T16:15+01:00"),
        ("resets Nov 20, 3pm", "2026-11-20T15:00+01:00"),
        ("resets Dec 1", "2026-12-01T00:00+01:00"),
        ("resets Mon 12:00 AM", "2026-11-23T00:00+01:00"),
        ("resets Saturday at 9am", "2026-11-28T09:00+01:00"),
        ("resets tomorrow at 9am", "2026-11-22T09:00+01:00"),
        # spans, and the wording of older versions
        ("resets in 2h 15m", "2026-11-21T14:15+01:00"),
        ("resets in 45 minutes", "2026-11-21T12:45+01:00"),
        ("resets in 3 days", "2026-11-24T12:00+01:00"),
        ("Claude AI usage limit reached|1795273200", "2026-11-21T16:00+01:00"),
        # other agents, the API, and what is printed of its events
        ("try again in 2 days 17 hours 14 minutes.", "2026-11-24T05:14+01:00"),
        ("Your quota will reset after 3h20m12s.", "2026-11-21T15:20:12+01:00"),
        ("resets in an hour", "2026-11-21T13:00+01:00"),
        ("Try again in 3 hours and 5 minutes", "2026-11-21T15:05+01:00"),
        ("resets in 1 week", "2026-11-28T12:00+01:00"),
        ("try again at 2:51 PM.", "2026-11-21T14:51+01:00"),
        ("try again at Nov 24th, 2026 8:15 PM.", "2026-11-24T20:15+01:00"),
        ("Access resets at 10:57 PM GMT-3.", "2026-11-22T02:57+01:00"),
        ("Your limit will reset at 3pm (America/New_York).", "2026-11-21T21:00+01:00"),
        ("You will regain access on 2026-12-01 at 00:00 UTC.", "2026-12-01T01:00+01:00"),
        ('"resets_at": "2026-11-24T15:00:00Z"', "2026-11-24T16:00+01:00"),
        ("resets 2026-11-24", "2026-11-24T00:00+01:00"),
        ('"resetsAt":1795273200', "2026-11-21T16:00+01:00"),
        ("resetsAt: 1795273200000", "2026-11-21T16:00+01:00"),
        ("resets 1795273200", "2026-11-21T16:00+01:00"),
        ('"resets_in_seconds":3600', "2026-11-21T13:00+01:00"),
        ("RESET AT 04:00 PM", "2026-11-21T16:00+01:00"),
        ("resets 3 p.m.", "2026-11-21T15:00+01:00"),
        ("resets 3:30\u202fpm", "2026-11-21T15:30+01:00"),
        ("resets at midnight", "2026-11-22T00:00+01:00"),
        ("resets Monday", "2026-11-23T00:00+01:00"),
        ("resets Thu, 10:00 AM", "2026-11-26T10:00+01:00"),
        ("resets Mon, Nov 23, 3pm", "2026-11-23T15:00+01:00"),
        ("resets 16:21 on 24 Nov", "2026-11-24T16:21+01:00"),
        ("resets 3pm tomorrow", "2026-11-22T15:00+01:00"),
        ("resets 3pm PST", "2026-11-22T00:00+01:00"),
        ("resets 3pm (UTC+2)", "2026-11-21T14:00+01:00"),
        # an unknown zone counts as the local one
        ("resets 3pm (Mars/Olympus)", "2026-11-21T15:00+01:00"),
    ],
)
def test_the_moment_is_read(words: str, expected: str) -> None:
    moment = parse_reset_time(f"You've hit your session limit{SEP}{words}", NOON)
    assert moment is not None
    assert moment.utcoffset() is not None
    assert moment == datetime.fromisoformat(expected)


@pytest.mark.parametrize(
    "words",
    ["contact your admin", "resets soon", "resets 25:00", "resets 13pm", "resets Feb 30, 3pm",
     "resets", "resets in a while", "reset 3 passwords", "resets next month", "resets in",
     "resets 2026-13-45", "resets 3", "resets in 99999999999 days"],
)  # fmt: skip
def test_a_message_without_a_reset(words: str) -> None:
    assert parse_reset_time(f"You've hit your session limit{SEP}{words}", NOON) is None


def test_a_time_of_day_survives_a_change_to_daylight_saving_time() -> None:
    before = datetime(2026, 10, 24, 16, 0, tzinfo=BERLIN)  # the night after, clocks go back
    moment = parse_reset_time("resets 3pm (Europe/Berlin)", before)
    assert moment is not None
    assert moment.hour == 15
    assert moment.timestamp() - before.timestamp() == 24 * 3600


@given(
    st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1)),  # noqa: DTZ001 -- a zone is given below
    st.integers(0, 23),
    st.integers(0, 59),
    st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Asia/Kolkata"), UTC]),
)
def test_a_time_of_day_is_always_ahead_and_within_a_day(
    naive: datetime, hour: int, minute: int, zone: ZoneInfo
) -> None:
    now = naive.replace(tzinfo=UTC).astimezone(zone)
    moment = parse_reset_time(f"resets {hour}:{minute:02d} ({zone})", now)
    assert moment is not None
    ahead = moment.timestamp() - now.timestamp()
    assert timedelta(0) < timedelta(seconds=ahead + 3600)
    assert ahead <= timedelta(hours=25).total_seconds()
    assert (moment.hour, moment.minute) == (hour, minute)
