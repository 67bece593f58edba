"""Write archived rules into a Markdown file for people, one for each month.

The file is only ever added to. A rule can be restored from the history, not from this file.
"""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Final

from orchestrator.counts import format_count
from orchestrator.masking import mask_line
from orchestrator.rulebook.records import RuleEvent, RuleRecord

ARCHIVE: Final = ".learnings/archive"
"""The folder of the files, in the project."""
_MOST_EVENTS: Final = 50
_LONGEST_DETAIL: Final = 300


def name_archive(day: date) -> str:
    """Return the file of a day, in the project: `.learnings/archive/2026-11.md`."""
    return f"{ARCHIVE}/{day:%Y-%m}.md"


def append_rules(
    before: bytes,
    day: date,
    rules: Iterable[tuple[RuleRecord, Sequence[RuleEvent]]],
    why: str,
) -> bytes:
    """Return the file with a section for the day, and the rules in it.

    A rule that the day's section has already is left out: a process was killed before it could
    archive it.

    Args:
        before: the content of the file; empty for a new one.
        day: today.
        rules: the rules, each with its history.
        why: why they are archived.
    """
    text = before.decode("utf-8", "replace")
    newline = "\r\n" if "\r\n" in text else "\n"
    heading = f"## {day.isoformat()}"
    sections = [number for number, line in enumerate(text.splitlines()) if line.startswith("## ")]
    last = text.splitlines()[sections[-1] :] if sections else []
    is_today = bool(last) and last[0].strip() == heading
    known = {line.removeprefix("### ").split(":")[0] for line in last if line.startswith("### ")}
    entries = [
        _render_rule(record, events, why)
        for record, events in rules
        if not (is_today and record.rule.id in known)
    ]
    if not entries:
        return before
    parts = [] if is_today else [heading]
    if not text.strip():
        parts.insert(0, f"# Archived rules, {day:%Y-%m}")
    added = "\n\n".join([*parts, *entries]) + "\n"
    gap = "" if not text.strip() else "\n" if text.endswith("\n") else "\n\n"
    return before + (gap + added).replace("\n", newline).encode("utf-8", "replace")


def _render_rule(record: RuleRecord, events: Sequence[RuleEvent], why: str) -> str:
    rule, count = record.rule, record.counters
    shown = events[-_MOST_EVENTS:]
    lines = [
        f"### {rule.id}: {_clean(rule.text.rule)}",
        "",
        *(f"- **When**: {_clean(rule.text.when)}" for _ in (1,) if rule.text.when),
        *(f"- **Why**: {_clean(rule.text.why)}" for _ in (1,) if rule.text.why),
        *(f"- **For**: {', '.join(rule.paths)}" for _ in (1,) if rule.paths),
        f"- **Source**: {_clean(rule.source)}",
        f"- **Learned**: {record.learned.astimezone():%Y-%m-%d}",
        f"- **Mattered last**: {record.mattered.astimezone():%Y-%m-%d}",
        f"- **Counts**: {format_count(count.runs, 'run')}, {count.first_passes} solved at the first"
        f" attempt, {format_count(count.recurrences, 'recurrence')} of its failure",
        f"- **Archived**: {why}",
        f"- **Restore it**: `orchestrator rules restore {rule.id}`",
        "- **History**:",
        *(f"  - {event.at.astimezone():%Y-%m-%d %H:%M} {_describe(event)}" for event in shown),
    ]
    return "\n".join(lines)


def _describe(event: RuleEvent) -> str:
    return _clean(f"{event.what}: {event.detail}" if event.detail else event.what)


def _clean(text: str) -> str:
    return mask_line(text, _LONGEST_DETAIL)
