"""The texts that the hook writes and the command line reads.

An entry of the working buffer, which people write too:

    ## WAL Entry — 2026-05-20 14:32
    **Operation**: rm -rf build
    **Affected resources**: /home/dev/shop/build
    **Blast radius**: the files, and everything below the folders
    **Rollback**: what git tracks: git checkout -- PATH; anything else: none
    **Status**: PENDING
    **Directory**: /home/dev/shop
    **Before**: HEAD 1f23ccc3... on main
    **Call**: toolu_01... in session 9f1c...

The first five fields are the published form. The others show `resume` where to look, and the hook
which call an entry belongs to. People may add a **Check**; `resume` and the hook, an **Outcome**.

A line of the log of failed calls:

    2026-05-20T14:32:00Z TOOL_FAILURE: Bash {"command": "make", "error": "...", "call": "..."}
"""

import json
import re

from orchestrator.masking import mask_line

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from collections.abc import Mapping

PENDING = "PENDING"
COMMITTED = "COMMITTED"
ROLLED_BACK = "ROLLED_BACK"

OPERATION = "Operation"
AFFECTED = "Affected resources"
BLAST = "Blast radius"
ROLLBACK = "Rollback"
STATUS = "Status"
DIRECTORY = "Directory"
BEFORE = "Before"
CALL = "Call"
CHECK = "Check"
OUTCOME = "Outcome"

TEXT_BOUND = 500
"""Characters of one field."""

_HEADING = "## WAL Entry"
# Compiled when a buffer is read: most hooks never need them.
_ENTRY = rf"(?m)^{_HEADING}\b[^\n]*"
_FIELD = r"(?m)^(?:[-*] )?\*\*([\w ]+?)(?::\*\*|\*\*:)[ \t]*(.*?)[ \t\r]*$"
_HEAD = r"HEAD ([0-9a-f]{40,64})"
_REMOTE_TIP = r"(refs/remotes/\S+) ([0-9a-f]{40,64})"

_FAILURE = "TOOL_FAILURE"
_FAILURE_LINE = rf"(\S+) {_FAILURE}: ([^{{]*)(\{{.*\}})?"

Span = tuple[int, int]
"""Start and end of a part of a buffer, in bytes."""


class Entry:
    """An entry as it was read. Names of fields are compared without case."""

    __slots__ = ("_fields", "status_span", "title")

    def __init__(self, title: str, fields: "Mapping[str, str]", status_span: Span) -> None:
        self.title, self._fields = title, fields
        self.status_span = status_span
        """The span of the status."""

    def find_field(self, *names: str) -> str:
        """Return the text of the first existing one of some fields; empty if there is none."""
        found = (self._fields[name.lower()] for name in names if name.lower() in self._fields)
        return next(found, "")


def format_entry(moment: str, values: "Mapping[str, str]") -> str:
    """Return an entry, its lines ended by newlines.

    Args:
        moment: date and time, for people.
        values: by the fields' names; an empty one is left out, and secrets are masked.
    """
    lines = [f"{_HEADING} \N{EM DASH} {moment}"]
    lines += [
        _format_field(name, mask_line(text, TEXT_BOUND)) for name, text in values.items() if text
    ]
    return "\n".join(lines) + "\n"


def parse_pending(data: bytes) -> list[Entry]:
    """Return the entries of a buffer whose status is PENDING."""
    text = data.decode("utf-8", "surrogateescape")
    starts = [match.start() for match in re.finditer(_ENTRY, text)]
    entries = []
    for start, end in zip(starts, [*starts[1:], len(text)], strict=False):
        section = text[start:end]
        found = {match[1].lower(): match for match in reversed([*re.finditer(_FIELD, section)])}
        status = found.get(STATUS.lower())
        if status is None or status[2] != PENDING:
            continue
        first, last = (_count_bytes(text[: start + at]) for at in status.span(2))
        title = section.partition("\n")[0].strip().removeprefix("## ")
        fields = {name: match[2] for name, match in found.items()}
        entries.append(Entry(title, fields, (first, last)))
    return entries


def set_call_status(data: bytes, call: str, status: str, outcome: str = "") -> bytes | None:
    """Return a buffer in which the entry of a tool call has its status.

    Args:
        data: the buffer.
        call: the tool call's id.
        status: the new status.
        outcome: a note after the status; may be empty.

    Returns:
        None when no entry of the call is PENDING.
    """
    named = _format_field(CALL, format_call(call, "")).encode("utf-8", "replace")
    at = data.rfind(named)
    start = data.rfind(_HEADING.encode(), 0, at) if at >= 0 else -1
    pending = _format_field(STATUS, PENDING).encode()
    found = data.find(pending, start, at) if start >= 0 else -1
    if found < 0:
        return None
    end = found + len(pending)
    text = status
    if outcome:
        line_end = data.find(b"\n", end)
        newline = "\r\n" if data[line_end - 1 : line_end] == b"\r" else "\n"
        text += newline + _format_field(OUTCOME, mask_line(outcome, TEXT_BOUND))
    return set_status(data, (end - len(PENDING), end), text)


def set_status(data: bytes, span: Span, status: str) -> bytes:
    """Return a buffer with another status at a span; every other byte stays."""
    return data[: span[0]] + status.encode("utf-8", "replace") + data[span[1] :]


def format_call(call: str, session: str) -> str:
    """Return the text by which an entry names its tool call."""
    return f"{call} in session {session}"


def format_head(tip: str) -> str:
    """Return the text of where HEAD was before; `tip` is its commit and its branch."""
    return f"HEAD {tip}"


def find_head(before: str) -> str:
    """Return the commit that HEAD was at before; empty where the text does not name one."""
    found = re.search(_HEAD, before)
    return found[1] if found else ""


def format_remote_tip(ref: str, commit: str) -> str:
    """Return the text of where a remote branch was before, as far as the clone knew."""
    return f"{ref} {commit}"


def find_remote_tip(before: str) -> tuple[str, str] | None:
    """Return the ref and commit of a remote branch before; None where the text has none."""
    found = re.search(_REMOTE_TIP, before)
    return (found[1], found[2]) if found else None


def format_failure(moment: str, tool: str, facts: "Mapping[str, str]") -> str:
    """Return a line of the log of failed calls. The caller has masked its parts."""
    return f"{moment} {_FAILURE}: {tool} {json.dumps(facts)}\n"


def parse_failure(line: str) -> tuple[str, str, dict[str, str]] | None:
    """Return the moment, the tool and the facts of a failed call; None for another line."""
    found = re.fullmatch(_FAILURE_LINE, line)
    return (found[1], found[2].strip(), _parse_facts(found[3])) if found else None


def _parse_facts(text: str | None) -> dict[str, str]:
    try:
        found = json.loads(text or "{}")
        return {str(name): str(value) for name, value in found.items()}
    except (ValueError, RecursionError):
        return {"error": text or ""}


def _format_field(name: str, text: str) -> str:
    return f"**{name}**: {text}"


def _count_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogateescape"))
