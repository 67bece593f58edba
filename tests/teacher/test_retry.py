from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from teacher.retry import Retries, parse_retry_after
from tests.teacher.samples import make_instant_retries


class FakeError(Exception):
    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("7", 7), ("0.5", 0.5), ("-3", 0), ("nan", 0), ("inf", 0), ("soon", 0), ("", 0)],
)
def test_retry_after_in_seconds(value: str, seconds: float) -> None:
    assert parse_retry_after({"retry-after": value}) == seconds


def test_retry_after_as_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    assert 3000 < parse_retry_after({"retry-after": later}) <= 3600
    assert parse_retry_after({"retry-after": "Fri, 01 Jan 2016 00:00:00 GMT"}) == 0
    assert parse_retry_after({}) == 0


def test_waits_grow_at_random_within_their_bounds() -> None:
    retries, waits = make_instant_retries(tries=9, seconds=10_000)

    def fail() -> None:
        raise FakeError({})

    with pytest.raises(FakeError):
        retries.call(fail, lambda _: True, lambda _: {})
    assert len(waits) == 8
    assert all(0 <= wait <= min(2**n, 30) for n, wait in enumerate(waits))
    assert len(set(waits)) > 1


def test_the_first_wait_of_each_call_is_announced() -> None:
    announced: list[float] = []
    retries = Retries(4, 60.0, sleep=lambda _: None, announce=announced.append)

    def fail() -> None:
        raise FakeError({})

    for _ in range(2):
        with pytest.raises(FakeError):
            retries.call(fail, lambda _: True, lambda _: {})
    assert announced == [60.0, 60.0]
    with pytest.raises(FakeError):
        retries.call(fail, lambda _: False, lambda _: {})
    assert len(announced) == 2


def test_what_cannot_pass_is_raised_at_once() -> None:
    retries, waits = make_instant_retries()

    def interrupt() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        retries.call(interrupt, lambda error: isinstance(error, FakeError), lambda _: {})
    assert waits == []
