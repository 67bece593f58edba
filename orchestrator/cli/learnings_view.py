"""Print a review of the learnings, as text and as data."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

from orchestrator.cli.values import sanitize_text
from orchestrator.counts import format_count
from orchestrator.learnings.entries import Entry, Status
from orchestrator.learnings.review import Group, Review
from orchestrator.learnings.rule_text import suggest_line
from orchestrator.learnings.workspace import TITLES

MAX_GROUPS: Final = 20
"""Groups of pending entries that are shown, so that the list fits on a screen."""


def iter_review_lines(review: Review) -> Iterator[str]:
    """Yield the lines of a review for people."""
    if review.imported:
        new = sum(not logged.updated for logged in review.imported)
        calls = len(review.imported)
        yield f"from .pending-errors.log: {new} new, {calls - new} updated; the log was cleared\n"
    for group in review.candidates:
        yield from _iter_candidate_lines(group)
    yield from _iter_pending_lines(review)
    yield from _iter_attention_lines(review)
    yield ""
    for kind, counts in review.totals.items():
        total = sum(counts.values())
        split = ", ".join(f"{count} {sanitize_text(status)}" for status, count in counts.items())
        yield f"{TITLES[kind]}: {total} total" + (f", {split}" if split else "")
    yield f"Promotion candidates: {len(review.candidates)}"
    if review.hook_error_log:
        yield f"the hooks logged errors: read {review.hook_error_log}, then delete it"


def serialize_review(review: Review) -> dict[str, Any]:
    """Return a review as data for JSON."""
    return {
        "candidates": [_serialize_group(group) for group in review.candidates],
        "groups": [_serialize_group(group) for group in review.groups],
        "stale": [_serialize_entry(entry) for entry in review.stale],
        "returned": [_serialize_entry(entry) for entry in review.returned],
        "totals": {str(kind): dict(counts) for kind, counts in review.totals.items()},
        "doubled": list(review.doubled),
        "taken_in": [logged.id for logged in review.imported],
        "trouble": str(review.hook_error_log) if review.hook_error_log else None,
    }


def _iter_pending_lines(review: Review) -> Iterator[str]:
    """Yield the groups that are still open and no candidates, the most frequent first."""
    open_groups = [
        group
        for group in review.groups
        if not group.is_candidate and any(entry.is_open for entry in group.entries)
    ]
    open_groups.sort(key=lambda group: -group.occurrences)
    if open_groups:
        yield "Pending:"
    for group in open_groups[:MAX_GROUPS]:
        times = f" ({_format_times(group.occurrences)})" if group.occurrences > 1 else ""
        yield f"  {sanitize_text(group.label)!r}{times}: {_format_ids(group)}"
    if len(open_groups) > MAX_GROUPS:
        yield f"  and {len(open_groups) - MAX_GROUPS} more; --json lists all of them"


def _iter_attention_lines(review: Review) -> Iterator[str]:
    """Yield the entries that are stale, that recurred after promotion, or that share an id."""
    if review.stale:
        yield f"Stale pending entries: {len(review.stale)}"
    for entry in review.stale:
        age = (review.on - entry.first_seen).days
        about, status = sanitize_text(entry.context), sanitize_text(entry.status)
        yield f"  {entry.id} - {about!r} - {format_count(age, 'day')} old, still {status}"
    if review.returned:
        yield "Promoted, but recurred (the rule is not enough; consider an automated check):"
    for entry in review.returned:
        times = _format_times(entry.occurrences_since_promotion)
        yield f"  {entry.id} - {sanitize_text(entry.context)!r} - {times}"
    for identity in review.doubled:
        yield f"several entries have the id {identity}: keep one and renumber the others"


def _iter_candidate_lines(group: Group) -> Iterator[str]:
    yield f"PROMOTION CANDIDATE - {group.kind}: {sanitize_text(group.label)!r}"
    yield f"  Entries: {_format_ids(group)}; {format_count(group.occurrences, 'occurrence')}"
    line = next(
        (
            text
            for entry in reversed(group.entries_since_promotion)
            if (text := suggest_line(entry))
        ),
        "",
    )
    if line:
        yield f"  Suggested line: {sanitize_text(line)!r}"
    last = group.entries_since_promotion[-1]
    if last.status == Status.RESOLVED:
        yield f"  Next: orchestrator learnings promote {last.id}\n"
    else:
        yield f"  First: orchestrator learnings resolve {last.id} --action '...'"
        yield f"  Then: orchestrator learnings promote {last.id}\n"


def _format_times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"


def _format_ids(group: Group) -> str:
    return ", ".join(entry.id for entry in group.entries)


def _serialize_group(group: Group) -> dict[str, Any]:
    return {
        "kind": str(group.kind),
        "label": group.label,
        "occurrences": group.occurrences,
        "entries": [_serialize_entry(entry) for entry in group.entries],
    }


def _serialize_entry(entry: Entry) -> dict[str, Any]:
    return {
        name: value if isinstance(value, int) else str(value)
        for name, value in dataclasses.asdict(entry).items()
    }
