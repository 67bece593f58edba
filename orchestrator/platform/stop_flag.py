"""Ask the main thread to stop, from a handler of signals."""

import time
from typing import Final

_LOOK_SECONDS: Final = 0.05


class StopFlag:
    """A flag that a handler of signals may set at any moment.

    It takes no lock: a handler runs in the main thread, and would wait for ever for a lock which
    that thread holds, as `threading.Event` does while it waits.
    """

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """Ask for the stop."""
        self._is_set = True

    def is_set(self) -> bool:
        """Return whether a stop was asked for."""
        return self._is_set

    def wait(self, seconds: float) -> bool:
        """Wait for the stop, at most for some seconds; return whether it was asked for."""
        deadline = time.monotonic() + seconds
        while not self._is_set and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _LOOK_SECONDS))
        return self._is_set
