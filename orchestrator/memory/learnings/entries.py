"""Entries of the `.learnings/` files: read from people's Markdown, and changed byte by byte.

    ### ERR-20260520-001
    **Status**: pending
    **Context**: Applying a Terraform plan that replaced an RDS instance
    **Content**: Assumed changing db_subnet_group_name was non-destructive.
    **Action**: Added lifecycle { prevent_destroy = true }.
    **Occurrences**: 2
    **First seen**: 2026-05-20
    **Last seen**: 2026-05-22

The first four fields are the published form. A field may be a list item, its colon may stand
inside the stars, its text may go on for several lines; bytes that are not UTF-8 are kept.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import count
from typing import Final, NamedTuple

from orchestrator.bom import BOM, is_utf16
from orchestrator.errors import UsageError


class Kind(StrEnum):
    """What an entry is about; the first part of its id."""

    ERR = "ERR"
    LRN = "LRN"
    FEAT = "FEAT"


class Status(StrEnum):
    """How far an entry has come. It goes forward only, and one step at a time."""

    PENDING = "pending"
    RESOLVED = "resolved"
    PROMOTED = "promoted"


_HEADING: Final = re.compile(r"(#{1,6})[ \t]+(.*?)[ \t]*(?:#+[ \t]*)?$", re.DOTALL)
ID: Final = re.compile(r"(ERR|LRN|FEAT)-([0-9]{8})-([0-9]{3,9})")
_NAMED: Final = re.compile(rf"\[?({ID.pattern})\b")
_COUNTED: Final = 10**8
"""Numbers from here on are somebody's joke: to count on from them would leave the form of an id."""
_FIELD: Final = re.compile(
    r"(?P<before>[ \t]{0,3}(?:[-*+][ \t]+)?\*\*(?P<name>\w[\w -]*?)(?::\*\*|\*\*[ \t]*:)[ \t]*)"
    r"(?P<value>.*)",
    re.DOTALL,
)
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")


@dataclass(frozen=True)
class Entry:
    """One entry. `status` is as written, in lower case: people write what they like."""

    id: str
    kind: Kind
    status: str
    context: str
    content: str
    action: str
    occurrences: int
    first_seen: date
    last_seen: date
    fingerprint: str = ""
    promoted_at: int = 0
    """Its occurrences when it was promoted; 0 if that is not written down."""

    @property
    def since_promotion(self) -> int:
        """How often it came back although it was promoted, as far as is known."""
        counted = self.status == Status.PROMOTED and self.promoted_at
        return max(self.occurrences - self.promoted_at, 0) if counted else 0

    @property
    def open(self) -> bool:
        """Whether nobody has dealt with it yet."""
        return self.status not in (Status.RESOLVED, Status.PROMOTED)


class _Field(NamedTuple):
    """A field's lines: its own, and those its text goes on for, up to `end`."""

    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A `.learnings/` file, read."""

    entries: tuple[Entry, ...]
    lines: tuple[str, ...] = field(repr=False)
    """With their endings; bytes that are not UTF-8 as surrogates."""
    _fields: tuple[tuple[int, Mapping[str, _Field]], ...] = field(repr=False)
    fence: str = field(repr=False)
    """What would end a code fence that nobody ended."""

    def fields(self, number: int) -> dict[str, _Field]:
        """The fields of an entry, by name in lower case; `number` is its place in `entries`."""
        start, found = self._fields[number]
        return {
            name: _Field(one.value, start + one.start, start + one.end)
            for name, one in found.items()
        }

    def start(self, number: int) -> int:
        """The line after an entry's heading."""
        return self._fields[number][0]


@dataclass(frozen=True)
class Change:
    """What becomes of an entry's fields."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Fields that get a new value; one that is missing is added after the last."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Fields whose text goes on with this."""


@lru_cache(maxsize=2)  # to look for an entry, and to add one
def parse(data: bytes) -> Document:
    """Read a file. Whatever is in it, this gives what entries can be made out.

    Raises:
        UsageError: the file is UTF-16, to which no UTF-8 text can be added.
    """
    if is_utf16(data):
        raise UsageError("the file is encoded as UTF-16", "save it as UTF-8")
    lines = _lines(data.decode("utf-8", "surrogateescape"))
    outside, fence = _outside_fences(lines)
    sections = [
        (_section(identity, "".join(lines[start:end])), start)
        for identity, start, end in _spans(lines, outside)
    ]
    entries = tuple(entry for (entry, _), _ in sections)
    fields = tuple((start, found) for (_, found), start in sections)
    return Document(entries, lines, fields, fence)


def added(data: bytes, new: Sequence[Entry], title: str) -> bytes:
    """The file with more entries at its end; `title` heads a file that is empty."""
    if not new:
        return data
    document = parse(data)
    newline = _newline(document.lines)
    text = newline.join(_block(entry, newline) for entry in new)
    before = "".join(document.lines)
    if not before.removeprefix(BOM).strip():
        before = before or f"# {title}{newline}"
    if not before.endswith("\n"):
        before += newline
    gap = f"{document.fence}{newline}{newline}" if document.fence else newline
    return (before + gap + text).encode("utf-8", "surrogateescape")


def changed(data: bytes, changes: Mapping[int, Change]) -> bytes:
    """The file with entries' fields set; every other byte stays.

    Args:
        data: the file.
        changes: by the entry's place in `parse(data).entries`, since an id may be given twice.
    """
    document = parse(data)
    lines = list(document.lines)
    # From the end, so that the places of those before stay right.
    for number in sorted(changes, reverse=True):
        _change(lines, document.fields(number), document.start(number), changes[number])
    return "".join(lines).encode("utf-8", "surrogateescape")


def new_ids(document: Document, kind: Kind, day: date) -> Iterator[str]:
    """The ids of further entries of this day, one after the other."""
    stem = f"{kind}-{day.isoformat().replace('-', '')}-"
    taken = (entry.id for entry in document.entries if entry.id.startswith(stem))
    numbers = (int(one.removeprefix(stem)) for one in taken)
    last = max((number for number in numbers if number < _COUNTED), default=0)
    return (f"{stem}{number:03d}" for number in count(last + 1))


def same_context(entry: Entry) -> str:
    """What entries with the same context have in common: case, space and punctuation aside."""
    return comparable(entry.context)


@lru_cache(maxsize=4096)
def comparable(text: str) -> str:
    """The text with case, space, quoting and the full stop at its end made equal."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.replace("`", "").replace('"', "").split()).rstrip(" .!…")


def _block(entry: Entry, newline: str) -> str:
    lines = [
        f"### {entry.id}",
        f"**Status**: {entry.status}",
        f"**Context**: {entry.context}",
        f"**Content**: {entry.content}",
        f"**Action**: {entry.action}".rstrip(),
        f"**Occurrences**: {entry.occurrences}",
        f"**First seen**: {entry.first_seen}",
        f"**Last seen**: {entry.last_seen}",
    ]
    if entry.fingerprint:
        lines.append(f"**Fingerprint**: {entry.fingerprint}")
    return newline.join(lines) + newline


def _change(lines: list[str], fields: Mapping[str, _Field], start: int, change: Change) -> None:
    newline = _newline(lines)
    new = []
    for name, value in {**change.values, **change.more}.items():
        known = fields.get(name.lower())
        if known is None:
            new.append(f"**{name}**: {value}")
        elif name in change.values:
            match = _FIELD.match(lines[known.start])
            assert match  # noqa: S101 -- parse found the field with the same pattern
            before = match["before"]
            gap = "" if before.endswith((" ", "\t")) else " "
            lines[known.start] = f"{before}{gap}{value}{_ending(lines[known.start])}"
        else:
            last = lines[known.end - 1]
            text = last.removesuffix(_ending(last)).rstrip()
            lines[known.end - 1] = f"{text} {value}{_ending(last)}"
    if new:
        at = max((one.end for one in fields.values()), default=start)
        if lines[at - 1] == lines[at - 1].rstrip("\r\n"):
            lines[at - 1] += newline
            lines.insert(at, newline.join(new))
        else:
            lines.insert(at, "".join(f"{line}{newline}" for line in new))


def _spans(lines: tuple[str, ...], outside: Sequence[int]) -> Iterator[tuple[str, int, int]]:
    """Each entry: its heading's id, and its lines after the heading."""
    headings = list(_headings(lines, outside))
    ends: dict[int, int] = {}
    after = [len(lines)] * 7  # where the next heading of each level, or of a higher one, is
    for at, level, identity in reversed(headings):
        ends[at] = after[level]
        # Another entry ends this one, whatever level people gave it.
        top = 0 if identity else level
        after[top:] = [at] * (7 - top)
    for at, _, identity in headings:
        if identity:
            yield identity[1], at + 1, ends[at]


def _headings(
    lines: tuple[str, ...], outside: Sequence[int]
) -> Iterator[tuple[int, int, re.Match[str] | None]]:
    for at in outside:
        line = lines[at] if at else lines[at].removeprefix(BOM)
        if line.startswith("#") and (heading := _HEADING.match(line.rstrip("\r\n"))):
            yield at, len(heading[1]), _NAMED.match(heading[2])


def _outside_fences(lines: tuple[str, ...]) -> tuple[Sequence[int], str]:
    """The lines that stand in no code fence, and what would end one that nobody ended."""
    if not any("```" in line or "~~~" in line for line in lines):
        return range(len(lines)), ""
    outside: list[int] = []
    fence = ""
    for at, line in enumerate(lines):
        mark = _FENCE.match(line) if "```" in line or "~~~" in line else None
        if fence:
            if mark and mark[1].startswith(fence) and not line.strip().strip(fence[0]):
                fence = ""
        elif mark:
            fence = mark[1]
        else:
            outside.append(at)
    return outside, fence


@lru_cache(maxsize=4096)  # most entries of a file are as they were when it was read last
def _section(identity: str, text: str) -> tuple[Entry, Mapping[str, _Field]]:
    lines = _lines(text)
    fields = _fields_of(lines)
    return _entry(identity, fields), fields


def _lines(text: str) -> tuple[str, ...]:
    *whole, rest = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return (*lines, rest) if rest else tuple(lines)


def _fields_of(lines: tuple[str, ...]) -> dict[str, _Field]:
    outside, _ = _outside_fences(lines)
    starts = [
        (at, match)
        for at in outside
        if "**" in lines[at] and (match := _FIELD.match(lines[at].rstrip("\r\n")))
    ]
    found: dict[str, _Field] = {}
    for number, (at, match) in enumerate(starts):
        stop = starts[number + 1][0] if number + 1 < len(starts) else len(lines)
        while stop > at + 1 and not lines[stop - 1].strip():
            stop -= 1
        text = match["value"].strip()
        if stop > at + 1:
            text = " ".join(" ".join([text, *lines[at + 1 : stop]]).split())
        found.setdefault(match["name"].lower(), _Field(text, at, stop))
    return found


def _entry(identity: str, fields: Mapping[str, _Field]) -> Entry:
    def text(name: str) -> str:
        return fields[name].value if name in fields else ""

    kind, day, _ = identity.split("-")
    made = _date(day) or date(1970, 1, 1)
    first = _date(text("first seen")) or made
    return Entry(
        id=identity,
        kind=Kind(kind),
        status=(text("status").lower().strip("*_`. ") or Status.PENDING),
        context=text("context"),
        content=text("content"),
        action=text("action"),
        occurrences=_count(text("occurrences")),
        first_seen=first,
        last_seen=_date(text("last seen")) or first,
        fingerprint=text("fingerprint"),
        promoted_at=_count(text("occurrences then")) if "occurrences then" in fields else 0,
    )


def _date(text: str) -> date | None:
    digits = re.match(r"\s*(\d{4})-?(\d\d)-?(\d\d)", text)
    try:
        return date(int(digits[1]), int(digits[2]), int(digits[3])) if digits else None
    except ValueError:
        return None


def _count(text: str) -> int:
    number = re.match(r"\d{1,9}", text)
    return max(int(number[0]), 1) if number else 1


def _newline(lines: tuple[str, ...] | list[str]) -> str:
    """The line ending in use."""
    return next((_ending(line) for line in lines if line.endswith("\n")), "\n")


def _ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
