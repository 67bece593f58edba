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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from functools import lru_cache
from itertools import accumulate, compress, count
from typing import Final, NamedTuple

from orchestrator.errors import UsageError
from orchestrator.platform.bom import BOM, is_utf16


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


ID: Final = re.compile(r"(ERR|LRN|FEAT)-([0-9]{8})-([0-9]{3,9})")
_HEADING: Final = re.compile(rf"\n(#{{1,6}})[ \t]+(?:\[?({ID.pattern})\b)?")
"""With a newline before it, every heading begins with the same two characters: found by them, it
costs next to nothing to pass over the lines in between."""
_ID_LIMIT: Final = 10**8
"""Numbers from here on are somebody's joke: to count on from them would leave the form of an id."""
_FIELD: Final = re.compile(
    r"(?P<before>[ \t]{0,3}(?:[-*+][ \t]+)?\*\*(?P<name>\w[\w -]*?)(?::\*\*|\*\*[ \t]*:)[ \t]*)"
    r"(?P<value>.*)",
    re.DOTALL,
)
_FENCE: Final = re.compile(r" {0,3}(`{3,}|~{3,})")
_FENCE_LINE: Final = re.compile(rf"^{_FENCE.pattern}[^\n]*\n?", re.MULTILINE)


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
    def occurrences_since_promotion(self) -> int:
        """How often it came back although it was promoted, as far as is known."""
        counted = self.status == Status.PROMOTED and self.promoted_at
        return max(self.occurrences - self.promoted_at, 0) if counted else 0

    @property
    def is_open(self) -> bool:
        """Whether nobody has dealt with it yet."""
        return self.status not in (Status.RESOLVED, Status.PROMOTED)


class _Field(NamedTuple):
    """A field's lines: its own, and those its text goes on for, up to `end`."""

    value: str
    start: int
    end: int


@dataclass(frozen=True)
class Document:
    """A `.learnings/` file, read: its entries, or those of them that were asked for."""

    entries: tuple[Entry, ...]
    text: str = field(repr=False)
    """Bytes that are not UTF-8 stand in it as surrogates."""
    _fields: tuple[tuple[int, Mapping[str, _Field]], ...] = field(repr=False)

    @property
    def lines(self) -> tuple[str, ...]:
        """The lines, with their endings."""
        return _split_lines(self.text)

    def find_fields(self, number: int) -> dict[str, _Field]:
        """The fields of an entry, by name in lower case; `number` is its place in `entries`."""
        start, found = self._fields[number]
        return {
            name: _Field(one.value, start + one.start, start + one.end)
            for name, one in found.items()
        }

    def find_body_start(self, number: int) -> int:
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
def parse_document(data: bytes) -> Document:
    """Read a file. Whatever is in it, this gives what entries can be made out.

    Raises:
        UsageError: the file is UTF-16, to which no UTF-8 text can be added.
    """
    return _parse_sections(data, None)


def parse_matching(data: bytes, phrases: Sequence[str]) -> Document:
    """Read only the entries that one of these phrases may stand in, however it is written there.

    Most of what is logged is new, and its file may hold thousands of entries. A phrase is as
    `comparable` gives it.

    Raises:
        UsageError: as for `parse`.
    """
    words = (r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases)
    return _parse_sections(data, re.compile("|".join(words)))


def _parse_sections(data: bytes, about: re.Pattern[str] | None) -> Document:
    if is_utf16(data):
        raise UsageError("the file is encoded as UTF-16", "save it as UTF-8")
    text = data.decode("utf-8", "surrogateescape")
    entries: list[Entry] = []
    fields: list[tuple[int, Mapping[str, _Field]]] = []
    line = at = 0
    for identity, start, end in (
        _iter_spans(text) if about is None or about.search(_fold_text(text)) else ()
    ):
        section = text[start:end]
        if about is None or about.search(_fold_text(section)):
            line, at = line + text.count("\n", at, start), start
            entry, found = _parse_section(identity, section)
            entries.append(entry)
            fields.append((line, found))
    return Document(tuple(entries), text, tuple(fields))


def append_entries(data: bytes, new: Sequence[Entry], title: str) -> bytes:
    """The file with more entries at its end; `title` heads a file that is empty."""
    if not new:
        return data
    before = data.decode("utf-8", "surrogateescape")
    newline = _detect_newline((before[: before.find("\n") + 1],))
    text = newline.join(_format_entry(entry, newline) for entry in new)
    fence = _find_fences(before)[1]
    if not before.removeprefix(BOM).strip():
        before = before or f"# {title}{newline}"
    if not before.endswith("\n"):
        before += newline
    gap = f"{fence}{newline}{newline}" if fence else newline
    return (before + gap + text).encode("utf-8", "surrogateescape")


def update_entries(data: bytes, changes: Mapping[int, Change]) -> bytes:
    """The file with entries' fields set; every other byte stays.

    Args:
        data: the file.
        changes: by the entry's place in `parse(data).entries`, since an id may be given twice.
    """
    return apply_changes(parse_document(data), changes)


def apply_changes(document: Document, changes: Mapping[int, Change]) -> bytes:
    """Return the file with entries' fields set, by their place in a document of it."""
    lines = list(document.lines)
    # From the end, so that the places of those before stay right.
    for number in sorted(changes, reverse=True):
        _apply_change(
            lines, document.find_fields(number), document.find_body_start(number), changes[number]
        )
    return "".join(lines).encode("utf-8", "surrogateescape")


def iter_new_ids(document: Document, kind: Kind, day: date) -> Iterator[str]:
    """The ids of further entries of this day, one after the other."""
    stem = f"{kind}-{day.isoformat().replace('-', '')}-"
    named = re.compile(rf"\n#{{1,6}}[ \t]+\[?{stem}([0-9]{{3,9}})\b")
    numbers = (int(heading[1]) for _, heading in _search_headings(named, document.text))
    last = max((number for number in numbers if number < _ID_LIMIT), default=0)
    return (f"{stem}{number:03d}" for number in count(last + 1))


def normalize_context(entry: Entry) -> str:
    """What entries with the same context have in common: case, space and punctuation aside."""
    return normalize_text(entry.context)


@lru_cache(maxsize=4096)
def normalize_text(text: str) -> str:
    """The text with case, space, quoting and the full stop at its end made equal."""
    return " ".join(_fold_text(text).split()).rstrip(" .!…")


def _fold_text(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold().replace("`", "").replace('"', "")


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


def _apply_change(
    lines: list[str], fields: Mapping[str, _Field], start: int, change: Change
) -> None:
    newline = _detect_newline(lines)
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
            lines[known.start] = f"{before}{gap}{value}{_find_line_ending(lines[known.start])}"
        else:
            last = lines[known.end - 1]
            text = last.removesuffix(_find_line_ending(last)).rstrip()
            lines[known.end - 1] = f"{text} {value}{_find_line_ending(last)}"
    if new:
        at = max((one.end for one in fields.values()), default=start)
        if lines[at - 1] == lines[at - 1].rstrip("\r\n"):
            lines[at - 1] += newline
            lines.insert(at, newline.join(new))
        else:
            lines.insert(at, "".join(f"{line}{newline}" for line in new))


def _iter_spans(text: str) -> Iterator[tuple[str, int, int]]:
    """Find each entry: its heading's id, and where the text after the heading begins and ends."""
    headings = list(_iter_headings(text))
    ends: list[int] = []
    after = [len(text)] * 7  # where the next heading of each level, or of a higher one, is
    for start, _, level, identity in reversed(headings):
        ends.append(after[level])
        # Another entry ends this one, whatever level people gave it.
        top = 0 if identity else level
        after[top:] = [start] * (7 - top)
    for (_, begin, _, identity), end in zip(headings, reversed(ends), strict=True):
        if identity:
            yield identity, begin, end


def _iter_headings(text: str) -> Iterator[tuple[int, int, int, str]]:
    """Find the headings outside of fences: where each begins and ends, its level, and its id."""
    for start, heading in _search_headings(_HEADING, text):
        end = text.find("\n", start + len(heading[0]) - 1) + 1
        yield start, end or len(text), len(heading[1]), heading[2] or ""


def _search_headings(pattern: re.Pattern[str], text: str) -> Iterator[tuple[int, re.Match[str]]]:
    """Find the headings outside of fences, by a pattern that begins with a newline, and where."""
    bom = len(text) - len(text.removeprefix(BOM))
    found = list(pattern.finditer(f"\n{text[bom:]}"))
    starts = [heading.start() + bom for heading in found]
    return compress(zip(starts, found, strict=True), _iter_outside_fences(starts, text))


def _iter_outside_fences(places: Iterable[int], text: str) -> Iterator[bool]:
    """Tell of places in a text, in their order, whether they are outside of its code fences."""
    fences, nth = _find_fences(text)[0], 0
    for place in places:
        while nth < len(fences) and fences[nth][1] <= place:
            nth += 1
        yield nth == len(fences) or place < fences[nth][0]


@lru_cache(maxsize=2)  # to find an id, and to add an entry behind one that is open
def _find_fences(text: str) -> tuple[Sequence[tuple[int, int]], str]:
    """Find where code fences begin and end, and what would end one that nobody ended."""
    if "```" not in text and "~~~" not in text:
        return (), ""
    found: list[tuple[int, int]] = []
    begun, fence = 0, ""
    for mark in _FENCE_LINE.finditer(text):
        if not fence:
            begun, fence = mark.start(), mark[1]
        elif mark[1].startswith(fence) and not mark[0].strip().strip(fence[0]):
            found.append((begun, mark.end()))
            fence = ""
    return (*found, (begun, len(text))) if fence else found, fence


@lru_cache(maxsize=4096)  # most entries of a file are as they were when it was read last
def _parse_section(identity: str, text: str) -> tuple[Entry, Mapping[str, _Field]]:
    lines = _split_lines(text)
    fields = _parse_fields(lines)
    return _build_entry(identity, fields), fields


def _split_lines(text: str) -> tuple[str, ...]:
    *whole, rest = text.split("\n")
    lines = [f"{line}\n" for line in whole]
    return (*lines, rest) if rest else tuple(lines)


def _parse_fields(lines: tuple[str, ...]) -> dict[str, _Field]:
    places = accumulate(map(len, lines[:-1]), initial=0)
    starts = [
        (at, match)
        for at, (line, outside) in enumerate(
            zip(lines, _iter_outside_fences(places, "".join(lines)), strict=False)
        )
        if outside and "**" in line and (match := _FIELD.match(line.rstrip("\r\n")))
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


def _build_entry(identity: str, fields: Mapping[str, _Field]) -> Entry:
    def text(name: str) -> str:
        return fields[name].value if name in fields else ""

    kind, day, _ = identity.split("-")
    made = _parse_date(day) or date(1970, 1, 1)
    first = _parse_date(text("first seen")) or made
    return Entry(
        id=identity,
        kind=Kind(kind),
        status=(text("status").lower().strip("*_`. ") or Status.PENDING),
        context=text("context"),
        content=text("content"),
        action=text("action"),
        occurrences=_parse_count(text("occurrences")),
        first_seen=first,
        last_seen=_parse_date(text("last seen")) or first,
        fingerprint=text("fingerprint"),
        promoted_at=_parse_count(text("occurrences then")) if "occurrences then" in fields else 0,
    )


def _parse_date(text: str) -> date | None:
    digits = re.match(r"\s*(\d{4})-?(\d\d)-?(\d\d)", text)
    try:
        return date(int(digits[1]), int(digits[2]), int(digits[3])) if digits else None
    except ValueError:
        return None


def _parse_count(text: str) -> int:
    number = re.match(r"\d{1,9}", text)
    return max(int(number[0]), 1) if number else 1


def _detect_newline(lines: tuple[str, ...] | list[str]) -> str:
    """The line ending in use."""
    return next((_find_line_ending(line) for line in lines if line.endswith("\n")), "\n")


def _find_line_ending(line: str) -> str:
    return line[len(line.rstrip("\r\n")) :]
