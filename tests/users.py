"""Act as an ordinary user for a while: nothing is refused to root."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NOBODY: Final = 65534


@contextmanager
def ordinary_user() -> Iterator[None]:
    """Give up root's powers until the end of the block; an ordinary user has none to give up.

    Only the effective ids change, so that the interpreter may stand in a folder of root's own.
    """
    if os.geteuid() != 0:
        yield
        return
    os.setegid(NOBODY)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(0)
