"""Find rules that have prevented nothing for a while, and archive them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from orchestrator.counts import format_count
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import RuleEventKind, RuleRecord, Status
from orchestrator.rulebook.rulebook import MarkdownRulebook

IDLE: Final = timedelta(days=30)
"""Time without preventing anything after which a rule is archived."""


@dataclass(frozen=True)
class IdleRules:
    """The active rules, by whether they are idle."""

    idle: tuple[RuleRecord, ...]
    retained: tuple[tuple[RuleRecord, str], ...]
    """Rules that stay, each with the reason."""
    why: str
    """Why idle rules are archived, in a line."""


def find_idle_rules(history: History, idle: timedelta = IDLE) -> IdleRules:
    """Return which active rules have prevented nothing for a while, and why the others stay.

    A rule without known files, such as a person's own, stays: no outcome can count for it. So
    does a rule without a run since it last mattered: then nobody worked on the project.
    """
    found: list[RuleRecord] = []
    retained: list[tuple[RuleRecord, str]] = []
    for record in history.list_records():
        if not record.status.is_active:
            continue
        if reason := _explain_retention(history, record, idle):
            retained.append((record, reason))
        else:
            found.append(record)
    return IdleRules(tuple(found), tuple(retained), f"it prevented nothing in {_format(idle)}")


def archive_rules(
    history: History,
    rulebook: MarkdownRulebook,
    records: Sequence[RuleRecord],
    why: str,
    report: Callable[[str], None],
) -> None:
    """Remove rules from the files, and record why; a person can restore each."""
    for record in records:
        rulebook.remove_rule(record.rule.id)
        history.change_status(record.rule.id, Status.ARCHIVED, RuleEventKind.ARCHIVED, why)
        report(f"archived: {record.rule.id}: {record.rule.text.rule} ({why})")


def _explain_retention(history: History, record: RuleRecord, idle: timedelta) -> str:
    """Return why a rule stays; empty if it is idle."""
    if not record.origin.files:
        return "it is of no known files, as your own rules are, so no outcome can count for it"
    day = f"{record.mattered.astimezone():%Y-%m-%d}"
    if history.now() - record.mattered <= idle:
        return f"it mattered on {day}"
    if not history.has_attempts_since(record.mattered):
        return f"no run was judged since it mattered, on {day}"
    return ""


def _format(duration: timedelta) -> str:
    hours = int(duration.total_seconds()) // 3600
    return format_count(hours, "hour") if hours % 24 else format_count(hours // 24, "day")
