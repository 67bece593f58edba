"""A review of the learnings, as text and as data."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from orchestrator.cli.values import printable
from orchestrator.memory.learnings.entries import Entry
from orchestrator.memory.learnings.promotion import draft
from orchestrator.memory.learnings.review import Group, Review
from orchestrator.memory.learnings.workspace import TITLES


def lines(review: Review) -> Iterator[str]:
    """A review for people."""
    if review.taken_in:
        new = sum(not logged.updated for logged in review.taken_in)
        calls = len(review.taken_in)
        yield f"from .pending-errors.log: {new} new, {calls - new} updated; the log is cleared\n"
    for group in review.candidates:
        yield from _candidate(group)
    for group in review.groups:
        if not group.candidate and len(group.entries) > 1:
            yield f"{group.kind}: {printable(group.label)!r}: {_ids(group)}"
    if review.stale:
        yield f"Stale pending entries: {len(review.stale)}"
    for entry in review.stale:
        age = (review.on - entry.first_seen).days
        yield f"  {entry.id} - {printable(entry.context)!r} - {age} days old, still {entry.status}"
    for identity in review.doubled:
        yield f"more than one entry is called {identity}: give the others another number"
    yield ""
    for kind, counts in review.totals.items():
        total = sum(counts.values())
        split = ", ".join(f"{count} {printable(status)}" for status, count in counts.items())
        yield f"{TITLES[kind]}: {total} total" + (f", {split}" if split else "")
    yield f"Promotion candidates: {len(review.candidates)}"


def as_data(review: Review) -> dict[str, Any]:
    """A review for programs."""
    return {
        "candidates": [_group(group) for group in review.candidates],
        "groups": [_group(group) for group in review.groups],
        "stale": [_entry(entry) for entry in review.stale],
        "totals": {str(kind): dict(counts) for kind, counts in review.totals.items()},
        "doubled": list(review.doubled),
        "taken_in": [logged.id for logged in review.taken_in],
    }


def _candidate(group: Group) -> Iterator[str]:
    yield f"PROMOTION CANDIDATE - {group.kind}: {printable(group.label)!r}"
    yield f"  Entries: {_ids(group)}; {group.occurrences} occurrences"
    line = next((text for entry in reversed(group.entries) if (text := draft(entry))), "")
    if line:
        yield f"  Suggested line: {printable(line)!r}"
    unresolved = [entry.id for entry in group.entries if entry.open]
    last = group.entries[-1].id
    if last in unresolved:
        yield f"  First: orchestrator learnings resolve {last} --action '...'"
    yield f"  Then: orchestrator learnings promote {last}\n"


def _ids(group: Group) -> str:
    return ", ".join(entry.id for entry in group.entries)


def _group(group: Group) -> dict[str, Any]:
    return {
        "kind": str(group.kind),
        "label": group.label,
        "occurrences": group.occurrences,
        "entries": [_entry(entry) for entry in group.entries],
    }


def _entry(entry: Entry) -> dict[str, Any]:
    return {
        name: str(value) if name != "occurrences" else value
        for name, value in dataclasses.asdict(entry).items()
    }
