"""Print proposals: as a table, in full, and as JSON."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.output import iter_wrapped_lines
from orchestrator.cli.tables import Column, iter_table_lines
from orchestrator.cli.values import sanitize_text, shorten_text
from orchestrator.counts import format_count
from orchestrator.masking import mask_text

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from orchestrator.proposals.models import Proposal, ProposalEvidence
    from orchestrator.proposals.queue import QueueItem
    from teacher.models import RuleText

_COLUMNS: Final = (
    Column("id"),
    Column("kind"),
    Column("sessions", is_number=True),
    Column("since"),
    Column("proposal"),
)
_RULE: Final = "rule"
_WAITING: Final = "waits for you"
_MOST_QUOTED: Final = 12
_MOST_DIFF: Final = 40
_LONGEST_LINE: Final = 300


def iter_list_lines(items: "Sequence[QueueItem]", width: int | None) -> Iterator[str]:
    """Yield the lines of a table of what waits."""
    return iter_table_lines(_COLUMNS, [_build_row(item) for item in items], width)


def iter_item_lines(item: "QueueItem", change: str, where: "Sequence[Path]" = ()) -> Iterator[str]:
    """Yield the lines of one proposal.

    Args:
        item: the proposal.
        change: the diff that accepting it would make; empty if it is decided.
        where: the files that have what it has written.
    """
    yield item.id
    for name, value in _list_facts(item, where):
        if value:
            yield from iter_wrapped_lines(f"  {name:<9} ", sanitize_text(value))
    if item.proposal and item.proposal.evidence:
        yield "  evidence"
        for each in item.proposal.evidence:
            yield from _iter_evidence_lines(each)
    if item.proposal:
        yield from _iter_diff_lines(item.proposal)
    if change:
        yield ""
        yield from sanitize_text(mask_text(change)).splitlines()


def describe_item(item: "QueueItem") -> str:
    """Return what a proposal is about, in a line: a rule's words, and what was found."""
    title = item.proposal.title if item.proposal else ""
    text = _find_text(item) if _describe_kind(item) == _RULE else None
    if text is None:
        return title
    return f"{text.rule} ({title})" if title else text.rule


def serialize_item(item: "QueueItem", project: str, change: str | None = None) -> dict[str, Any]:
    """Return a proposal as data for JSON.

    Args:
        item: the proposal.
        project: the path of its project.
        change: the diff that accepting it would make; None to leave it out.
    """
    proposal, rule = item.proposal, item.record.rule if item.record else None
    values: dict[str, Any] = {
        "id": item.id,
        "project": project,
        "kind": _describe_kind(item),
        "status": str(proposal.status) if proposal else _WAITING,
        "title": describe_item(item),
        "since": _find_since(item).isoformat(),
        "rule": {"id": rule.id, **vars(rule.text)} if rule else None,
    }
    if proposal:
        values |= {
            "detector": proposal.detector,
            "reason": proposal.reason,
            "decided": proposal.decided.isoformat() if proposal.decided else None,
            "content": dict(proposal.content),
            "evidence": [
                {**vars(each), "quote": mask_text(each.quote)} for each in proposal.evidence
            ],
        }
    return values if change is None else {**values, "diff": mask_text(change)}


def _build_row(item: "QueueItem") -> tuple[object, ...]:
    waits = "" if _describe_status(item) == _WAITING else f" ({_describe_status(item)})"
    sessions = item.proposal.read_count("sessions") if item.proposal else 0
    seen = item.proposal.read_count("sessions_seen") if item.proposal else 0
    share = f"{sessions} of {seen}" if sessions and seen else str(sessions or "")
    since = f"{_find_since(item).astimezone():%Y-%m-%d}"
    return (item.id, _describe_kind(item), share, since, f"{describe_item(item)}{waits}")


def _list_facts(item: "QueueItem", where: "Sequence[Path]") -> list[tuple[str, str]]:
    proposal, record = item.proposal, item.record
    text = _find_text(item)
    named = (
        f"{record.rule.id}: {record.status}"
        if record
        else "not in the rulebook yet"
        if text
        else ""
    )
    facts = [
        ("kind", _describe_kind(item)),
        ("status", _describe_status(item)),
        ("found", proposal.title if proposal else ""),
        ("seen", _describe_counts(proposal) if proposal else ""),
        ("found by", proposal.detector if proposal else ""),
        ("since", f"{_find_since(item).astimezone():%Y-%m-%d %H:%M}"),
        ("rule", named),
        ("allows", _describe_permissions(proposal) if proposal else ""),
    ]
    if text:
        facts += [("", text.rule), ("when", text.when), ("why", text.why)]
        facts += [("", record.reason if record and record.status.is_pending else "")]
    return [*facts, ("in", ", ".join(map(str, where)))]


def _find_text(item: "QueueItem") -> "RuleText | None":
    """Return the text of the rule that an item became, is about, or would add."""
    from orchestrator.proposals.states import read_rule_text

    if item.record:
        return item.record.rule.text
    return read_rule_text(item.proposal.content.get("text")) if item.proposal else None


def _describe_kind(item: "QueueItem") -> str:
    return str(item.proposal.kind) if item.proposal else _RULE


def _describe_status(item: "QueueItem") -> str:
    from orchestrator.proposals.queue import describe_decision

    if item.proposal and not item.proposal.is_open:
        return describe_decision(item.proposal)
    return str(item.proposal.status) if item.proposal else _WAITING


def _describe_counts(proposal: "Proposal") -> str:
    """Return the counts with their denominators: `in 3 of 41 sessions, 7 times in all`."""
    sessions, seen = proposal.read_count("sessions"), proposal.read_count("sessions_seen")
    times = proposal.read_count("occurrences")
    if not sessions:
        return ""
    share = f"in {sessions} of {format_count(seen, 'session')}"
    shown = share if seen else f"in {format_count(sessions, 'session')}"
    return f"{shown}, {format_count(times, 'time')} in all" if times else shown


def _describe_permissions(proposal: "Proposal") -> str:
    """Return what the permission rules of a proposal allow besides what was seen."""
    from orchestrator.proposals.permission_safety import describe_open_rule
    from orchestrator.proposals.states import read_permission_rules

    rules = read_permission_rules(proposal)
    return "\n".join(f"{each}: {also}" for each in rules if (also := describe_open_rule(each)))


def _iter_evidence_lines(evidence: "ProposalEvidence") -> Iterator[str]:
    head = f"    {_format_time(evidence.at)}  session {evidence.session[:8]}: "
    first, *more = _list_text_lines(evidence.quote, _MOST_QUOTED) or ["(no text)"]
    yield from iter_wrapped_lines(sanitize_text(head), first)
    for line in more:
        yield from iter_wrapped_lines("      ", line)


def _iter_diff_lines(proposal: "Proposal") -> Iterator[str]:
    """Yield what was changed between red and green tests, which the teacher is shown, too."""
    from orchestrator.services.review_proposals import DIFF

    diff = proposal.content.get(DIFF)
    if isinstance(diff, str) and diff:
        yield "  changed between red and green"
        yield from (f"    {line}" for line in _list_text_lines(diff, _MOST_DIFF))


def _list_text_lines(text: str, most: int) -> list[str]:
    """Return the lines of a text from a transcript that have something, safe and not too many."""
    lines = [line.rstrip() for line in sanitize_text(mask_text(text)).expandtabs(4).split("\n")]
    shown = [shorten_text(line, _LONGEST_LINE) for line in lines if line.strip()]
    left = len(shown) - most
    return [*shown[:most], f"... and {format_count(left, 'more line')}"] if left > 0 else shown


def _format_time(at: str) -> str:
    """Return a time of a transcript in the user's zone; as it stands if it is none."""
    from datetime import datetime

    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):
        return at[:16].replace("T", " ")


def _find_since(item: "QueueItem") -> "datetime":
    if item.proposal:
        return item.proposal.created
    assert item.record  # noqa: S101 -- it has one of the two
    return item.record.learned
