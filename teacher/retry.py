"""Trying again: how often, how long, and what the other side asked for.

The wait before try n+1 is drawn at random from zero to 2**n seconds, at most 30 (full jitter,
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), or what the answer's
`retry-after` header says when that is longer.
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
    """The bound within which a request is tried again.

    No new try begins `seconds` after the first, so a call lasts at most that plus one request's
    own timeout. A wait that would reach beyond the bound is not begun: the last error is raised
    at once.
    """

    tries: int = 5
    seconds: float = 120.0
    sleep: Callable[[float], None] = time.sleep
    """What waits. Tests pass one that does not."""

    def call(
        self,
        function: Callable[[], T],
        retryable: Callable[[BaseException], bool],
        headers: Callable[[BaseException], Mapping[str, str]],
    ) -> T:
        """The result of `function`, tried again after each error that is `retryable`.

        Args:
            function: Makes one request.
            retryable: Whether an error may pass if one waits.
            headers: The answer's headers that an error carries; empty when there was no answer.

        Raises:
            The last error of `function`, as it is.
        """
        import tenacity

        jitter = tenacity.wait_random_exponential(multiplier=1, max=30)

        def wait(state: "tenacity.RetryCallState") -> float:
            error = state.outcome.exception() if state.outcome else None
            asked = parse_retry_after(headers(error)) if error else 0.0
            return max(asked, jitter(state))

        stop = tenacity.stop_after_attempt(self.tries) | tenacity.stop_before_delay(self.seconds)
        return tenacity.Retrying(
            sleep=self.sleep,
            stop=stop,
            wait=wait,
            retry=tenacity.retry_if_exception(retryable),
            reraise=True,
        )(function)


def parse_retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that `retry-after` (RFC 9110, 10.2.3) asks to wait; 0 when it says nothing usable.

    Args:
        headers: An answer's headers, looked up without regard to case if the mapping does so.
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
