"""Make a rule's text safe to write into CLAUDE.md.

What a teacher writes is data from outside. Each field becomes one line that cannot end its bullet,
open or close a comment, open a code fence, hide characters from a reader, or import a file.
"""

import re
import unicodedata
from functools import lru_cache
from hashlib import sha256
from typing import Final

from teacher.models import RuleText

MAX_CHARS: Final = 400
"""Characters that one field of a rule may have."""

_ELLIPSIS: Final = "…"
_RETAINED_FORMATS: Final = "\u200c\u200d"
"""The joiners: words in some scripts, and many emoji, are wrong without them."""

_COMMENT_END: Final = re.compile(r"-{2,}!?>")
_COMMENT_START: Final = re.compile(r"<!-")
_FENCE: Final = re.compile(r"`{3,}|~{3,}")
_SPAN: Final = re.compile(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)")
_AMBIGUOUS_MARKUP: Final = re.compile(r"[`<\\]|\]\(|\]\[|://|www\.", re.IGNORECASE)
_AT_WORD: Final = re.compile(r"(?<![A-Za-z0-9])@[\w./~@-]*")
_ESCAPED_AT: Final = re.compile(r"\\+@")
_AT_INSIDE: Final = re.compile(r"\s+(?=@)")


def sanitize_text(text: RuleText) -> RuleText:
    """Return the rule with each field made safe by `sanitize_line`."""
    return RuleText(sanitize_line(text.rule), sanitize_line(text.when), sanitize_line(text.why))


def sanitize_line(text: str, limit: int = MAX_CHARS) -> str:
    """Return one line of at most `limit` characters that means the same and can do no harm.

    Control and invisible characters go, white space is folded, comment marks and code fences are
    broken, and an `@word`, which Claude Code would take for a file to import, gets backticks.
    Applying it twice changes nothing more.
    """
    line = " ".join("".join(_replace_invisible(char) for char in text).split())
    line = _FENCE.sub(lambda run: run[0][0], line)
    room = limit
    while len(safe := _break_marks(_quote_imports(_shorten_line(line, room)))) > limit:
        room -= len(safe) - limit
    return safe


def overlay_text(new: RuleText, old: RuleText) -> RuleText:
    """Return a text with the fields of `new`, and those of `old` where they are empty."""
    return RuleText(new.rule or old.rule, new.when or old.when, new.why or old.why)


@lru_cache(maxsize=4096)
def normalize_text(text: RuleText) -> str:
    """Return what two texts of the same rule share, whatever case, space, quotes and full stop.

    The reason is left out: the same rule for another reason is still the same rule.
    """
    return "\n".join(
        " ".join(unicodedata.normalize("NFKC", field).casefold().replace("`", "").split()).rstrip(
            " .!"
        )
        for field in (text.rule, text.when)
    )


def derive_rule_id(text: RuleText, nth: int = 0) -> str:
    """Return an id derived from the rule's text: `r-` and six hex digits.

    `nth` counts up when the id is taken by another rule.
    """
    seed = normalize_text(text) + (f"\n{nth}" if nth else "")
    return "r-" + sha256(seed.encode("utf-8", "surrogatepass")).hexdigest()[:6]


def sanitize_word(text: str, limit: int = 60) -> str:
    """Return text from outside as one word for a block comment: ids, sources, names of models."""
    return re.sub(r"[^\w.:/+=-]+", "-", text, flags=re.ASCII).strip("-")[:limit].rstrip("-")


def _replace_invisible(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char) in ("Cc", "Cs") or (
        unicodedata.category(char) == "Cf" and char not in _RETAINED_FORMATS
    ):
        return ""
    return char


def _break_marks(line: str) -> str:
    return _COMMENT_START.sub("<! -", _COMMENT_END.sub("->", line))


def _shorten_line(line: str, room: int) -> str:
    if len(line) <= room:
        return line
    kept = line[: max(room - len(_ELLIPSIS), 0)]
    words = kept.rpartition(" ")[0] or kept
    return words.rstrip() + _ELLIPSIS


def _quote_imports(line: str) -> str:
    """Quote every `@word`, which Claude Code would import, in its own backticks.

    Claude Code (2.1.329) looks for `@` at the start or after white space, in each list item's raw
    text, code spans included: `` `see @notes.md now` `` imports notes.md. So an `@` inside a span
    begins a span of its own. Where links, tags or stray backticks could make another reader pair
    the backticks in another way than we do, the old ones are dropped first.
    """
    if "@" not in line:
        return line
    if _AMBIGUOUS_MARKUP.search(_SPAN.sub("", line)):
        line = " ".join(line.replace("`", "").split())
    quoted, end = "", 0
    for span in _SPAN.finditer(line):
        quoted = _join_spans(quoted, _quote_outside(line[end : span.start()]))
        quoted = _join_spans(quoted, _split_span(span))
        end = span.end()
    return _join_spans(quoted, _quote_outside(line[end:]))


def _quote_outside(text: str) -> str:
    return _AT_WORD.sub(lambda word: f"`{word[0]}`", _ESCAPED_AT.sub("@", text))


def _split_span(span: re.Match[str]) -> str:
    if not _AT_INSIDE.search(span[2]):
        return span[0]
    words = _AT_INSIDE.split(span[2].replace("`", "").strip())
    return " ".join(f"`{word}`" for word in words)


def _join_spans(left: str, right: str) -> str:
    """Return both, with a space where two backticks would meet and make a longer run."""
    return f"{left} {right}" if left.endswith("`") and right.startswith("`") else left + right
