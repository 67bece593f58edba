"""Handle signals while a part of the program runs."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from types import FrameType


@contextlib.contextmanager
def handle_signals(
    handler: Callable[[int, FrameType | None], None], *numbers: signal.Signals
) -> Iterator[None]:
    """Call a handler for signals; one that was ignored (`nohup`) stays ignored.

    Args:
        handler: what is called with the number of the signal.
        numbers: the signals.
    """
    before = {
        number: signal.signal(number, handler)
        for number in numbers
        if signal.getsignal(number) is not signal.SIG_IGN
    }
    try:
        yield
    finally:
        for number, each in before.items():
            signal.signal(number, each)
