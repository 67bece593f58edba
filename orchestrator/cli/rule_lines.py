"""Print rules: as a table, in full, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.output import iter_wrapped_lines
from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.cli.values import sanitize_text

if TYPE_CHECKING:
    from pathlib import Path

    from orchestrator.models import Rule
    from orchestrator.rulebook.idle_rules import IdleRules
    from orchestrator.rulebook.records import RuleEvent, RuleRecord

_COLUMNS: Final = (
    Column("id"),
    Column("status"),
    Column("runs", is_number=True),
    Column("first", is_number=True),
    Column("recur", is_number=True),
    Column("relevant"),
    Column("rule"),
)
NOT_ADOPTED: Final = "not adopted"
"""The status of a rule that a person wrote into a file; it has no record."""


def iter_list_lines(
    records: "Sequence[RuleRecord]", hand_written: "Sequence[Rule]", width: int | None
) -> Iterator[str]:
    """Yield the lines of a table of rules, the hand-written ones at its end."""
    rows = [_build_row(record) for record in records]
    rows += [(rule.id, NOT_ADOPTED, "", "", "", "", _describe_rule(rule)) for rule in hand_written]
    return iter_table_lines(_COLUMNS, rows, width)


def iter_record_lines(
    record: "RuleRecord", about: str, where: "Sequence[Path]" = ()
) -> Iterator[str]:
    """Yield the lines of one rule.

    Args:
        record: the rule.
        about: what it is about.
        where: the files that contain it.
    """
    text, origin, count = record.rule.text, record.origin, record.counters
    # The reason is often the summary of the failure: each thing is said once.
    reason = record.reason if record.reason != origin.summary else ""
    is_news = bool(origin.source) and origin.source not in record.rule.source
    facts = {
        "status": f"{record.status}: {reason}" if reason else record.status,
        "rule": text.rule,
        "when": text.when,
        "why": text.why,
        "about": about,
        "for": ", ".join(record.rule.paths),
        "in": ", ".join(map(str, where)),
        "source": f"{record.rule.source}{f' ({origin.source})' * is_news}",
        "run": origin.run,
        "summary": origin.summary,
        "cases": ", ".join(origin.cases),
        "failure": origin.failure,
        "files": ", ".join(origin.files),
        "model": origin.model,
        "counters": f"runs: {count.runs}, solved at the first attempt: {count.first_passes}, "
        f"recurrences of its failure: {count.recurrences}",
        "relevant": f"{record.mattered.astimezone():%Y-%m-%d %H:%M}",
        "enforce": record.suggestion,
    }
    yield record.rule.id
    for name, value in facts.items():
        if value:
            yield from iter_wrapped_lines(f"  {name:<9} ", sanitize_text(value))


def iter_event_lines(record: "RuleRecord", events: "Sequence[RuleEvent]") -> Iterator[str]:
    """Yield the lines of a rule's history, without what the lines of the rule say already."""
    said = {record.reason, record.origin.summary}
    for event in events:
        detail = event.detail if event.detail not in said else ""
        text = f"{event.what}: {detail}" if detail else event.what
        label = f"  {event.at.astimezone():%Y-%m-%d %H:%M}  "
        yield from iter_wrapped_lines(label, sanitize_text(text))


def iter_idle_lines(found: "IdleRules", file: str, *, dry_run: bool) -> Iterator[str]:
    """Yield the lines about rules that are archived, and why the others stay."""
    verb = "would be archived" if dry_run else "archived"
    for record in found.idle:
        label = f"{verb}: {record.rule.id}: "
        yield from iter_wrapped_lines(label, sanitize_text(f"{record.rule.text.rule}: {found.why}"))
    for record, why in found.retained:
        yield from iter_wrapped_lines(f"stays: {record.rule.id}: ", sanitize_text(why))
    if not found.idle:
        yield "no rule is idle" if found.retained else "no active rules"
    elif not dry_run:
        yield sanitize_text(f"written to {file}")
        yield "To restore one: `orchestrator rules restore ID`"


def serialize_idle(found: "IdleRules", file: str, *, dry_run: bool) -> dict[str, Any]:
    """Return which rules are archived, and why the others stay, as data for JSON."""
    return {
        "dry_run": dry_run,
        "archived": [serialize_rule(record.rule) for record in found.idle],
        "reason": found.why,
        "retained": [{"id": record.rule.id, "reason": why} for record, why in found.retained],
        "file": file,
    }


def serialize_record(record: "RuleRecord", about: str) -> dict[str, Any]:
    """Return a rule as data for JSON, with its text and its counters beside its id."""
    return {
        **serialize_rule(record.rule),
        "status": str(record.status),
        "reason": record.reason,
        "about": about,
        **vars(record.counters),
        "learned": record.learned.isoformat(),
        "relevant": record.mattered.isoformat(),
        "suggestion": record.suggestion,
        "amends": record.proposal.target,
        "contradicts": record.proposal.against,
        "origin": vars(record.origin),
    }


def serialize_hand_written(rule: "Rule", about: str) -> dict[str, Any]:
    """Return a rule without a record as data for JSON."""
    return {**serialize_rule(rule), "status": NOT_ADOPTED, "about": about}


def serialize_rule(rule: "Rule") -> dict[str, Any]:
    """Return a rule's text and scope as data for JSON: `rule`, `when` and `why` beside its id."""
    return {
        "id": rule.id,
        **vars(rule.text),
        "paths": list(rule.paths),
        "source": rule.source,
    }


def _build_row(record: "RuleRecord") -> tuple[object, ...]:
    count, day = record.counters, record.mattered.astimezone()
    numbers = (count.runs, count.first_passes, count.recurrences)
    return (
        *(record.rule.id, record.status, *numbers, f"{day:%Y-%m-%d}"),
        _describe_rule(record.rule),
    )


def _describe_rule(rule: "Rule") -> str:
    scope = f" (for {', '.join(rule.paths)})" if rule.paths else ""
    return f"{rule.text.rule}{scope}"
