"""The `.learnings/` files: read from people's Markdown, and changed byte by byte.

    ### ERR-20260520-001
    **Status**: pending
    **Context**: Applying a Terraform plan that replaced an RDS instance
    **Content**: Assumed changing db_subnet_group_name was non-destructive.
    **Action**: Added lifecycle { prevent_destroy = true }.
    **Occurrences**: 2
    **First seen**: 2026-05-20
    **Last seen**: 2026-05-22

The first four fields are the published form. A field may be a list item, its colon may be inside
the stars, and its text may continue on further lines. Bytes that are not UTF-8 are preserved.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from itertools import accumulate, count
from typing import Final, NamedTuple

from orchestrator.errors import UsageError
from orchestrator.learnings.entries import ID, Entry, Kind, Status, fold_text
from orchestrator.learnings.markdown import (
    detect_newline,
    find_fences,
    find_line_ending,
    iter_outside_fences,
    search_headings,
    split_lines,
)
from orchestrator.platform.bom import BOM, is_utf16

_HEADING: Final = re.compile(rf"\n(#{{1,6}})[ \t]+(?:\[?({ID.pattern})\b)?")
_ID_LIMIT: Final = 10**8
"""Greater numbers are not counted on from: the next id would not have the form of an id."""
_FIELD: Final = re.compile(
    r"(?P<before>[ \t]{0,3}(?:[-*+][ \t]+)?\*\*(?P<name>\w[\w -]*?)(?::\*\*|\*\*[ \t]*:)[ \t]*)"
    r"(?P<value>.*)",
    re.DOTALL,
)


class _Field(NamedTuple):
    """A field's text and its lines, from `start` up to `end`."""

    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A `.learnings/` file as it was read: its entries, or those that were asked for."""

    entries: tuple[Entry, ...]
    text: str = field(repr=False)
    """Bytes that are not UTF-8 are surrogates in it."""
    _fields: tuple[tuple[int, Mapping[str, _Field]], ...] = field(repr=False)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, with their endings."""
        return split_lines(self.text)

    def find_fields(self, number: int) -> dict[str, _Field]:
        """Return the fields of the entry with this index, by name in lower case."""
        start, found = self._fields[number]
        return {
            name: _Field(one.value, start + one.start, start + one.end)
            for name, one in found.items()
        }

    def find_body_start(self, number: int) -> int:
        """Return the number of the line after the heading of the entry with this index."""
        return self._fields[number][0]


@dataclass(frozen=True)
class Change:
    """How an entry's fields change."""

    values: Mapping[str, str] = field(default_factory=dict)
    """Fields that get a new value; a missing one is added after the last field."""
    more: Mapping[str, str] = field(default_factory=dict)
    """Text to append to fields."""


# ---- reading


@lru_cache(maxsize=2)  # to look for an entry, and to add one
def parse_document(data: bytes) -> Document:
    """Parse a file. Anything in it that is no entry is skipped.

    Raises:
        UsageError: the file is UTF-16, to which no UTF-8 text can be added.
    """
    return _parse_sections(data, None)


def parse_matching(data: bytes, phrases: Sequence[str]) -> Document:
    """Parse only the entries that may contain one of some phrases, however it is written there.

    Most of what is logged is new, and parsing the thousands of entries of a file to find that out
    would take most of the time. A phrase is a text that `normalize_text` returned.

    Raises:
        UsageError: as for `parse_document`.
    """
    patterns = (r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases)
    return _parse_sections(data, re.compile("|".join(patterns)))


def _parse_sections(data: bytes, about: re.Pattern[str] | None) -> Document:
    if is_utf16(data):
        raise UsageError("the file is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    entries: list[Entry] = []
    fields: list[tuple[int, Mapping[str, _Field]]] = []
    line = at = 0
    for identity, start, end in (
        _iter_spans(text) if about is None or about.search(fold_text(text)) else ()
    ):
        section = text[start:end]
        if about is None or about.search(fold_text(section)):
            line, at = line + text.count("\n", at, start), start
            entry, found = _parse_section(identity, section)
            entries.append(entry)
            fields.append((line, found))
    return Document(tuple(entries), text, tuple(fields))


def _iter_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield each entry's id, and the offsets of the start and end of the text below its heading."""
    headings = list(_iter_headings(text))
    ends: list[int] = []
    after = [len(text)] * 7  # the offset of the next heading of each level, or of a higher one
    for start, _, level, identity in reversed(headings):
        ends.append(after[level])
        # Another entry ends this one, whatever level people gave it.
        top = 0 if identity else level
        after[top:] = [start] * (7 - top)
    for (_, begin, _, identity), end in zip(headings, reversed(ends), strict=True):
        if identity:
            yield identity, begin, end


def _iter_headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Yield the start, end, level and id of each heading outside of code fences."""
    for start, heading in search_headings(_HEADING, text):
        end = text.find("\n", start + len(heading[0]) - 1) + 1
        yield start, end or len(text), len(heading[1]), heading[2] or ""


@lru_cache(maxsize=4096)  # most entries of a file have not changed since it was last read
def _parse_section(identity: str, text: str) -> tuple[Entry, Mapping[str, _Field]]:
    fields = _parse_fields(split_lines(text))
    return _build_entry(identity, fields), fields


def _parse_fields(lines: tuple[str, ...]) -> dict[str, _Field]:
    offsets = accumulate(map(len, lines[:-1]), initial=0)
    outside = iter_outside_fences(offsets, "".join(lines))
    starts = [
        (at, match)
        for at, (line, is_outside) in enumerate(zip(lines, outside, strict=False))
        if is_outside and "**" in line and (match := _FIELD.match(line.rstrip("\r\n")))
    ]
    ends = [*(at for at, _ in starts[1:]), len(lines)]
    found: dict[str, _Field] = {}
    for (at, match), end in zip(starts, ends, strict=False):
        while end > at + 1 and not lines[end - 1].strip():
            end -= 1  # noqa: PLW2901 -- blank lines before the next field belong to neither
        text = match["value"].strip()
        if end > at + 1:
            text = " ".join(" ".join([text, *lines[at + 1 : end]]).split())
        found.setdefault(match["name"].lower(), _Field(text, at, end))
    return found


def _build_entry(identity: str, fields: Mapping[str, _Field]) -> Entry:
    def get_text(name: str) -> str:
        return fields[name].value if name in fields else ""

    kind, day, _ = identity.split("-")
    made = _parse_date(day) or date(1970, 1, 1)
    first = _parse_date(get_text("first seen")) or made
    promoted_at = get_text("occurrences then")
    return Entry(
        id=identity,
        kind=Kind(kind),
        status=(get_text("status").lower().strip("*_`. ") or Status.PENDING),
        context=get_text("context"),
        content=get_text("content"),
        action=get_text("action"),
        occurrences=_parse_count(get_text("occurrences")),
        first_seen=first,
        last_seen=_parse_date(get_text("last seen")) or first,
        fingerprint=get_text("fingerprint"),
        promoted_at=_parse_count(promoted_at) if "occurrences then" in fields else 0,
    )


def _parse_date(text: str) -> date | None:
    digits = re.match(r"\s*(\d{4})-?(\d\d)-?(\d\d)", text)
    try:
        return date(int(digits[1]), int(digits[2]), int(digits[3])) if digits else None
    except ValueError:
        return None


def _parse_count(text: str) -> int:
    # Nine digits at most: Python refuses to convert texts of thousands of digits.
    number = re.match(r"\d{1,9}", text)
    return max(int(number[0]), 1) if number else 1


# ---- changing


def append_entries(data: bytes, new: Sequence[Entry], title: str) -> bytes:
    """Return a file with more entries at its end.

    Args:
        data: the file.
        new: the entries.
        title: becomes the heading of a file that is empty.
    """
    if not new:
        return data
    before = data.decode("utf-8", "surrogateescape")
    newline = detect_newline((before[: before.find("\n") + 1],))
    text = newline.join(_format_entry(entry, newline) for entry in new)
    # In an unclosed code fence the new entries would be code, and never found again.
    fence = find_fences(before)[1]
    if not before.removeprefix(BOM).strip():
        before = before or f"# {title}{newline}"
    if not before.endswith("\n"):
        before += newline
    gap = f"{fence}{newline}{newline}" if fence else newline
    return (before + gap + text).encode("utf-8", "surrogateescape")


def update_entries(data: bytes, changes: Mapping[int, Change]) -> bytes:
    """Return a file in which entries' fields are changed and every other byte is as before.

    Args:
        data: the file.
        changes: by index in `parse_document(data).entries`, since two entries may have one id.
    """
    return apply_changes(parse_document(data), changes)


def apply_changes(document: Document, changes: Mapping[int, Change]) -> bytes:
    """Return the document's file with changes to the fields of its entries, by their index."""
    lines = list(document.lines)
    # From the last to the first, so that the line numbers of earlier entries stay valid.
    for number in sorted(changes, reverse=True):
        _apply_change(
            lines, document.find_fields(number), document.find_body_start(number), changes[number]
        )
    return "".join(lines).encode("utf-8", "surrogateescape")


def _apply_change(
    lines: list[str], fields: Mapping[str, _Field], start: int, change: Change
) -> None:
    missing = []
    for name, value in {**change.values, **change.more}.items():
        known = fields.get(name.lower())
        if known is None:
            missing.append(f"**{name}**: {value}")
        elif name in change.values:
            lines[known.start] = _replace_value(lines[known.start], value)
        else:
            lines[known.end - 1] = _append_text(lines[known.end - 1], value)
    if missing:
        at = max((one.end for one in fields.values()), default=start)
        _insert_lines(lines, at, missing)


def _replace_value(line: str, value: str) -> str:
    match = _FIELD.match(line)
    assert match  # noqa: S101 -- the field was found with the same pattern
    before = match["before"]
    gap = "" if before.endswith((" ", "\t")) else " "
    return f"{before}{gap}{value}{find_line_ending(line)}"


def _append_text(line: str, value: str) -> str:
    ending = find_line_ending(line)
    return f"{line.removesuffix(ending).rstrip()} {value}{ending}"


def _insert_lines(lines: list[str], at: int, new: Sequence[str]) -> None:
    newline = detect_newline(lines)
    if not find_line_ending(lines[at - 1]):
        # The file ended without a newline, and does so afterwards.
        lines[at - 1] += newline
        lines.insert(at, newline.join(new))
    else:
        lines.insert(at, "".join(f"{line}{newline}" for line in new))


def _format_entry(entry: Entry, newline: str) -> str:
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


def iter_new_ids(document: Document, kind: Kind, day: date) -> Iterator[str]:
    """Yield the unused ids of a kind and a day, in ascending order."""
    stem = f"{kind}-{day.isoformat().replace('-', '')}-"
    named = re.compile(rf"\n#{{1,6}}[ \t]+\[?{stem}([0-9]{{3,9}})\b")
    numbers = (int(heading[1]) for _, heading in search_headings(named, document.text))
    last = max((number for number in numbers if number < _ID_LIMIT), default=0)
    return (f"{stem}{number:03d}" for number in count(last + 1))
