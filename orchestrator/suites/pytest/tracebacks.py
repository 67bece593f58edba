"""Parse the tracebacks that pytest prints in its styles `long`, `short` and `native`.

This is for excerpts that people and teachers read. The exceptions themselves, and the files that
they passed through, are in `Case.raised`.
"""

import re
from collections.abc import Iterator
from typing import Final

_LONG_STYLE: Final = re.compile(r"^(?:_ ){3,}_?\s*$", re.MULTILINE)
_SHORT_STYLE: Final = re.compile(r"^(?=\S[^\n]*:\d+: in )", re.MULTILINE)
_NATIVE_STYLE: Final = re.compile(r"^(?=  File \")", re.MULTILINE)
_LOCATION: Final = re.compile(r"^(?:  File \"(.+?)\", line |(\S[^\n:]*):)\d+[:,]", re.MULTILINE)
_ERROR_LINE: Final = re.compile(r"E(\s|$)")


def extract_error_lines(detail: str) -> str:
    """Return the lines of the exceptions themselves."""
    return "\n".join(line for line in detail.splitlines() if _ERROR_LINE.match(line))


def iter_frames(detail: str) -> Iterator[str]:
    """Yield a traceback's frames, without the lines of the exceptions."""
    styles = (_LONG_STYLE, _NATIVE_STYLE)
    separator = next((style for style in styles if style.search(detail)), _SHORT_STYLE)
    for frame in separator.split(detail):
        lines = [line for line in frame.strip("\n").splitlines() if not _ERROR_LINE.match(line)]
        if any(line.strip() for line in lines):
            yield "\n".join(lines)


def list_locations(text: str) -> list[str]:
    """List the files that a traceback names, as they are printed."""
    return [native or pytests for native, pytests in _LOCATION.findall(text)]
