"""Retry a request: how often, for how long, and after which waits.

The wait before try n+1 is random, from zero to 2**n seconds but at most 30 (full jitter,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), or the answer's
`retry-after` if that is longer.
"""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")


@dataclass(frozen=True)
class Retries:
    """The limits for retrying a request.

    No try starts later than `seconds` after the first, so a call lasts at most that plus the
    timeout of one request. If the next wait would exceed this limit, the last error is raised at
    once instead of after a useless wait.
    """

    tries: int = 5
    seconds: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    """Waits for a number of seconds; tests pass a function that does not."""
    announce: Callable[[float], None] = lambda _seconds: None
    """Receives the limit `seconds` before the first wait of each call, for a person to see."""

    def call(
        self,
        function: Callable[[], T],
        retryable: Callable[[BaseException], bool],
        headers: Callable[[BaseException], Mapping[str, str]],
    ) -> T:
        """Call `function`, again after each error that is `retryable`, and return its result.

        Args:
            function: Makes one request.
            retryable: Returns whether a later try may succeed after this error.
            headers: Returns the headers of the answer that caused an error; empty if there was no
                answer.

        Raises:
            The last error of `function`, unchanged.
        """
        import tenacity

        jitter = tenacity.wait_random_exponential(multiplier=1, max=30)

        def wait(state: "tenacity.RetryCallState") -> float:
            error = state.outcome.exception() if state.outcome else None
            requested = parse_retry_after(headers(error)) if error else 0.0
            return max(requested, jitter(state))

        def announce_first(state: "tenacity.RetryCallState") -> None:
            if state.attempt_number == 1:
                self.announce(self.seconds)

        stop = tenacity.stop_after_attempt(self.tries) | tenacity.stop_before_delay(self.seconds)
        return tenacity.Retrying(
            sleep=self.sleep,
            stop=stop,
            wait=wait,
            retry=tenacity.retry_if_exception(retryable),
            before_sleep=announce_first,
            reraise=True,
        )(function)


def parse_retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait by `retry-after` (RFC 9110, 10.2.3); 0 if it is not usable.

    Args:
        headers: An answer's headers; `retry-after` is looked up in lower case.
    """
    value = headers.get("retry-after", "")
    try:
        seconds = float(value)
    except ValueError:
        seconds = _parse_http_date(value)
    return max(seconds, 0.0) if math.isfinite(seconds) else 0.0


def _parse_http_date(http_date: str) -> float:
    try:
        moment = parsedate_to_datetime(http_date)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - datetime.now(UTC)).total_seconds()
