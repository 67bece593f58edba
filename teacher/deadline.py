"""Bound the time of a call that cannot be interrupted, such as a request or a DNS lookup.

The timeouts of HTTP libraries are for single steps (connect, one read): a server that sends a byte
of its headers every few seconds never reaches them, and DNS lookups have none at all.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


class DeadlineError(Exception):
    """A call did not end in time."""


def call_within(seconds: float, function: Callable[[], T]) -> T:
    """Call a function in a thread of its own, and return its result.

    A function that is too slow goes on in its thread, but does not keep the process alive.

    Args:
        seconds: how long to wait for it.
        function: is called; its errors are raised here.

    Raises:
        DeadlineError: it did not end in time.
    """
    future: Future[T] = Future()

    def call() -> None:
        try:
            result = function()
        except BaseException as error:  # noqa: BLE001 -- raised in the caller's thread
            future.set_exception(error)
        else:
            future.set_result(result)

    thread = threading.Thread(target=call, name=f"within {seconds:g} s", daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise DeadlineError(f"no answer within {seconds:g} s")
    return future.result()
