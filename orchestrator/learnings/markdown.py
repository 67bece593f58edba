"""The structure of people's Markdown: its lines, headings and code fences.

No Markdown library is used: entries are changed in the bytes of the file, so their positions have
to be exact, and a file of thousands of entries has to be read in a few milliseconds.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import compress
from typing import Final

from orchestrator.platform.bom import BOM

_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_FENCE_LINE: Final = re.compile(rf"^{_FENCE.pattern}[^\n]*\n?", re.MULTILINE)


def search_headings(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Find the headings outside of code fences.

    Args:
        pattern: begins with a newline. Every heading then begins with the same two characters, so
            that the regular expression engine skips all other lines quickly.
        text: the whole file; a byte order mark at its beginning is not part of the first heading.

    Returns:
        The offset of each heading in the text, and its match.
    """
    bom = len(text) - len(text.removeprefix(BOM))
    found = list(pattern.finditer(f"\n{text[bom:]}"))
    starts = [heading.start() + bom for heading in found]
    return compress(zip(starts, found, strict=True), iter_outside_fences(starts, text))


def iter_outside_fences(offsets: Iterable[int], text: str) -> Iterator[bool]:
    """Yield for each of some ascending offsets whether it is outside of the text's code fences."""
    fences, nth = find_fences(text)[0], 0
    for offset in offsets:
        while nth < len(fences) and fences[nth][1] <= offset:
            nth += 1
        yield nth == len(fences) or offset < fences[nth][0]


@lru_cache(maxsize=2)  # to find an id, and to add an entry after a fence that nobody closed
def find_fences(text: str) -> tuple[Sequence[tuple[int, int]], str]:
    """Return the start and end of each code fence, and the marks that close an unclosed one."""
    if "```" not in text and "~~~" not in text:
        return (), ""
    found: list[tuple[int, int]] = []
    start, fence = 0, ""
    for mark in _FENCE_LINE.finditer(text):
        if not fence:
            start, fence = mark.start(), mark[1]
        elif mark[1].startswith(fence) and not mark[0].strip().strip(fence[0]):
            found.append((start, mark.end()))
            fence = ""
    return (*found, (start, len(text))) if fence else found, fence


def split_lines(text: str) -> tuple[str, ...]:
    r"""Return the lines with their endings.

    Only `\n` ends a line here. `str.splitlines` also splits at form feeds and U+2028, which people
    paste into their texts.
    """
    *whole, rest = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return (*lines, rest) if rest else tuple(lines)


def detect_newline(lines: Sequence[str]) -> str:
    r"""Return the line ending in use; `\n` where there is none."""
    return next((find_line_ending(line) for line in lines if line.endswith("\n")), "\n")


def find_line_ending(line: str) -> str:
    """Return the ending of a line; empty if it has none."""
    return line[len(line.rstrip("\r\n")) :]
