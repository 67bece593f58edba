"""Kill a process at a line of its own code, for tests of what is left then."""

import os
import signal
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any


def die_at(line: int, files: Collection[str | None]) -> Callable[[FrameType, str, Any], Any]:
    """Return a trace function that kills its process before the n-th line run in some files."""
    left = line

    def trace(frame: FrameType, event: str, _argument: Any) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in files:
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace
