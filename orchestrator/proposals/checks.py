"""Draft a check for a rule that is broken again although it was loaded, and record it."""

from dataclasses import replace
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import RuleEventKind, RuleRecord, Status
from orchestrator.rulebook.suggested_checks import suggest_check

_ESCALATABLE: Final = (Status.ACTIVE, Status.PROVEN)


def draft_check(record: RuleRecord) -> str:
    """Return the check that would enforce a rule; empty if the rule cannot be escalated now."""
    return suggest_check(record) if record.status in _ESCALATABLE else ""


def escalate_rule(history: History, rule: str, why: str) -> RuleRecord:
    """Record that a rule needs a check, as after recurrences in runs; return its record.

    Args:
        history: the history of the rulebook.
        rule: the rule's id.
        why: what was seen, in a line.

    Raises:
        UsageError: there is no such rule, or it is not active.
    """
    record = history.resolve_record(rule)
    if record.status is Status.ESCALATED:
        return record
    if record.status not in _ESCALATABLE:
        raise UsageError(f"{record.rule.id} is not active: it is {record.status}")
    check = suggest_check(record)
    escalated = replace(
        record,
        status=Status.ESCALATED,
        reason=why,
        suggestion=check,
        mattered=history.now(),
    )
    history.update_record(escalated, RuleEventKind.ESCALATED, why)
    return escalated


def withdraw_escalation(history: History, rule: str, why: str) -> RuleRecord:
    """Record that a rule needs no check after all; return its record.

    Raises:
        UsageError: there is no such rule.
    """
    record = history.resolve_record(rule)
    if record.status is not Status.ESCALATED:
        return record
    active = replace(record, status=Status.ACTIVE, reason=why, suggestion="")
    history.update_record(active, RuleEventKind.RESTORED, why)
    return active
