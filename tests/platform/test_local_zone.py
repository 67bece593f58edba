"""The user's time zone, compared with the zone's own table."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.platform.local_zone import LocalZone

NAMES = ("Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
pytestmark = pytest.mark.skipif(
    not set(NAMES) <= available_timezones(), reason="there is no table of time zones"
)


@pytest.fixture(scope="module", params=NAMES)
def zone(request: pytest.FixtureRequest) -> Iterator[ZoneInfo]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield ZoneInfo(request.param)
    time.tzset()


@given(
    st.integers(946_684_800, 2_082_758_400).map(
        lambda seconds: datetime.fromtimestamp(seconds, UTC)
    )
)
def test_every_moment_has_the_local_time(zone: ZoneInfo, moment: datetime) -> None:
    here, there = moment.astimezone(LocalZone()), moment.astimezone(zone)
    assert here.replace(tzinfo=None) == there.replace(tzinfo=None)
    assert (here.utcoffset(), here.fold) == (there.utcoffset(), there.fold)
    assert here.astimezone(UTC) == moment


def test_a_day_with_a_change_of_the_clock_begins_at_midnight(zone: ZoneInfo) -> None:
    for day in ((2026, 3, 29), (2026, 10, 25), (2026, 4, 5)):
        for hour in range(24):
            here, there = (datetime(*day, hour, tzinfo=each) for each in (LocalZone(), zone))
            assert here.utcoffset() == there.utcoffset()
