"""A review of the learnings, as text and as data."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from orchestrator.cli.values import printable
from orchestrator.learnings.entries import Entry, Status
from orchestrator.learnings.review import Group, Review
from orchestrator.learnings.rule_text import suggest_line
from orchestrator.learnings.workspace import TITLES

MOST_GROUPS: Final = 20
"""Groups of pending entries that are shown; a screen's length."""


def lines(review: Review) -> Iterator[str]:
    """A review for people."""
    if review.taken_in:
        new = sum(not logged.updated for logged in review.taken_in)
        calls = len(review.taken_in)
        yield f"from .pending-errors.log: {new} new, {calls - new} updated; the log is cleared\n"
    for group in review.candidates:
        yield from _candidate(group)
    open_groups = [
        group
        for group in review.groups
        if not group.candidate and any(entry.open for entry in group.entries)
    ]
    open_groups.sort(key=lambda group: -group.occurrences)
    if open_groups:
        yield "Pending:"
    for group in open_groups[:MOST_GROUPS]:
        times = f" ({_times(group.occurrences)})" if group.occurrences > 1 else ""
        yield f"  {printable(group.label)!r}{times}: {_ids(group)}"
    if len(open_groups) > MOST_GROUPS:
        yield f"  and {len(open_groups) - MOST_GROUPS} more; --json gives all"
    if review.stale:
        yield f"Stale pending entries: {len(review.stale)}"
    for entry in review.stale:
        age = (review.on - entry.first_seen).days
        about, status = printable(entry.context), printable(entry.status)
        yield f"  {entry.id} - {about!r} - {age} days old, still {status}"
    if review.returned:
        yield "Promoted, and back since then (the rule alone does not help; a check might):"
    for entry in review.returned:
        yield f"  {entry.id} - {printable(entry.context)!r} - {_times(entry.since_promotion)}"
    for identity in review.doubled:
        yield f"more than one entry is called {identity}: give the others another number"
    yield ""
    for kind, counts in review.totals.items():
        total = sum(counts.values())
        split = ", ".join(f"{count} {printable(status)}" for status, count in counts.items())
        yield f"{TITLES[kind]}: {total} total" + (f", {split}" if split else "")
    yield f"Promotion candidates: {len(review.candidates)}"
    if review.trouble:
        yield f"the hooks had trouble: see {review.trouble}, and remove it then"


def as_data(review: Review) -> dict[str, Any]:
    """A review for programs."""
    return {
        "candidates": [_group(group) for group in review.candidates],
        "groups": [_group(group) for group in review.groups],
        "stale": [_entry(entry) for entry in review.stale],
        "returned": [_entry(entry) for entry in review.returned],
        "totals": {str(kind): dict(counts) for kind, counts in review.totals.items()},
        "doubled": list(review.doubled),
        "taken_in": [logged.id for logged in review.taken_in],
        "trouble": str(review.trouble) if review.trouble else None,
    }


def _candidate(group: Group) -> Iterator[str]:
    yield f"PROMOTION CANDIDATE - {group.kind}: {printable(group.label)!r}"
    yield f"  Entries: {_ids(group)}; {group.occurrences} occurrences"
    line = next((text for entry in reversed(group.unpromoted) if (text := suggest_line(entry))), "")
    if line:
        yield f"  Suggested line: {printable(line)!r}"
    last = group.unpromoted[-1]
    if last.status == Status.RESOLVED:
        yield f"  Next: orchestrator learnings promote {last.id}\n"
    else:
        yield f"  First: orchestrator learnings resolve {last.id} --action '...'"
        yield f"  Then: orchestrator learnings promote {last.id}\n"


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


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
        name: value if isinstance(value, int) else str(value)
        for name, value in dataclasses.asdict(entry).items()
    }
