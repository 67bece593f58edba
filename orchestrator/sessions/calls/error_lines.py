"""Find the line of an output that says what went wrong, and make it comparable.

Only the beginning and the end of an output are looked at, and only the beginning of a line: see
`suite_outputs.cut_output`.
"""

import re
from typing import Final

from orchestrator.sessions.calls.shortening import shorten_at_space

MOST_OF_LINE: Final = 500
"""Characters of a line that are looked at; a longer one is data."""
MOST_RETURNED: Final = 4_500
"""Characters of a line that are returned: it is masked before it is cut to what is stored."""
MOST_OF_KEY: Final = 160
"""Characters of a normalized line: what differs after them is the circumstances."""

_ECHOES: Final = re.compile(
    r"(?:Error: )?Exit code \d|exit status \d|[$+>] "
    r"|\[[^\]]{1,40}\] (?:\$|ERROR task failed|Finished)"
    r"|\d{1,9} issues?:|FAIL$|Finished in |-+$|=+$"
    r"|Error Trace:|error: \|-?$|error: test failed, to rerun|=+ FAIL|=== Failed$|Failed examples:$"
    r"|npm (?:ERR!|error) (?:code|errno|path|A complete log)"
)
"""Lines that say that something failed, but not what."""
_POSITION: Final = re.compile(r"(?:\[[^\]]{1,40}\] )?[^\s:()]{1,200}:\d{1,7}(?::\d{1,7})?:\s")
"""What compilers and linters put before their words: `path:line:column: `."""
_ONLY_KIND: Final = re.compile(r"[A-Z]\w{0,60}(?:Error|Exception|Failed|Failure)")
"""An exception without its words, as pytest puts it after the place; the words come later."""
_STRONG: Final = re.compile(
    r"(?i)(?:\[[^\]]{1,40}\] )?\W{0,4}(?:[\w./()-]{1,60}: ){0,2}(?:fatal|panic|error|err!|failed"
    r"|cannot|can't|could not|unable|unknown|undefined|missing|invalid|permission denied|no such"
    r"|unexpected|conflict|[\w.]{0,60}(?:error|exception))\b"
)
_WEAK: Final = (
    "error", "not found", "no such", "fatal", "fail", "cannot", "can't", "denied", "unknown",
    "undefined", "invalid", "unable", "missing", "unexpected", "refused", "no matches", "could not",
    "does not exist", "not a ", "already exists", "panic", "exception", "conflict", "err!",
)  # fmt: skip
"""Words of errors; one of them is in each line that `_STRONG` matches."""
_MOST_LINES: Final = 300
_EXCEPTION: Final = re.compile(
    r"\n((?:[A-Za-z_]\w{0,60}\.){0,6}[A-Z]\w{0,60}(?:Error|Exception|Exit|Interrupt)\b[^\n]{0,4000})"
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_EXTENSIONS: Final = (
    "py|pyi|go|js|jsx|ts|tsx|mjs|cjs|json|jsonl|ya?ml|toml|md|rst|txt|rs|rb|java|kt|c|cc|cpp|h|hpp"
    "|cs|php|swift|sh|bash|sql|html|css|scss|xml|lock|mod|sum|cfg|ini|env|log|csv|ipynb|proto|vue"
    "|tf|dart|ex|exs"
)
_NOISE: Final = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"\b[a-z][a-z0-9+.-]{1,15}://[^\s'\"<>]{1,400}", "<url>"),
        (r"`[^`]{1,200}`|\"[^\"]{1,200}\"|“[^”]{1,200}”|‘[^’]{1,200}’", "<name>"),  # noqa: RUF001
        (r"(?<!\w)'[^']{1,200}'(?!\w)", "<name>"),
        (
            r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?)?",
            "<time>",
        ),
        (r"\b\d\d?:\d\d(?::\d\d)?(?:[.,]\d{1,9})?\b", "<time>"),
        (r"(?<![\w<])(?:~|\.\.?|[A-Za-z]:)?(?:[/\\][\w.@+~%=*-]{1,255}){1,40}[/\\]?", "<path>"),
        (r"(?<![\w</])[\w.@+-]{1,255}(?:/[\w.@+~*-]{1,255}){1,40}/?", "<path>"),
        (rf"(?<![\w<])[\w-][\w.-]{{0,80}}\.(?:{_EXTENSIONS})\b", "<path>"),
        (
            r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b|\b0x[0-9a-fA-F]{1,40}\b",
            "<hex>",
        ),
        (r"\b(?=\d{0,63}[a-f])(?=[a-f]{0,63}\d)[0-9a-f]{7,64}\b", "<hex>"),
        (r"(?<![A-Za-z_\d])\d[\d.,]{0,40}(?:ns|µs|us|ms|s|[kKMG]i?B|%)?(?![A-Za-z_])", "<number>"),
        (r"^(?:\[[^\]]{1,40}\] )?<path>(?::<(?:number|time)>){1,2}:? ?", ""),
        (r"(?:<path>[:,]? ?){2,40}", "<path> "),
        (r"\s+", " "),
    )
)


def find_error_line(text: str) -> str:
    """Return the first line that says what went wrong, else the first line; empty if none is left.

    Of a traceback it is the last line, as nothing above it says more.

    Args:
        text: an output that `cut_output` gave.
    """
    if "Traceback (most recent call last)" in text:
        exceptions = _EXCEPTION.findall(text)
        if exceptions:
            return str(exceptions[-1]).strip()
    first = weak = ""
    for raw in text.split("\n", _MOST_LINES)[:_MOST_LINES]:
        line = raw[:MOST_RETURNED].strip()
        if not line or _ECHOES.match(line):
            continue
        place = _POSITION.match(line)
        if place and line[place.end() :].lstrip(" :").startswith("#"):
            continue  # the name of a Go package, before its errors
        if place and not _ONLY_KIND.fullmatch(line, place.end()):
            return line
        first = first or line
        lower = line[:MOST_OF_LINE].lower()
        if any(each in lower for each in _WEAK):
            if _STRONG.match(line):
                return line
            weak = weak or line
    return weak or first


def normalize_line(line: str) -> str:
    """Return a line without what differs between sessions and machines.

    Paths, addresses, numbers, times, hexadecimal ids and quoted names become placeholders; the
    place in a file that a compiler puts first is left out.
    """
    line = _CONTROL.sub(" ", shorten_at_space(line, MOST_OF_LINE))
    for pattern, into in _NOISE:
        line = pattern.sub(into, line)
    return shorten_at_space(line.strip(" :"), MOST_OF_KEY).strip()
