"""Derive where a proposal stands: the rulebook and the files decide, its record follows them.

So `rules approve` and `review accept` cannot contradict each other, and a process that is killed
between the change of a file and the record leaves nothing wrong.
"""

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError
from orchestrator.proposals.models import (
    ADDED,
    RULES,
    TEXT,
    Proposal,
    ProposalKind,
    ProposalStatus,
)
from orchestrator.proposals.permission_rules import is_rule_covered, read_allow_rules
from orchestrator.proposals.permissions import PermissionFile
from orchestrator.proposals.records import ProposalStore
from orchestrator.proposals.skill_files import SkillFile
from orchestrator.rulebook.history import History
from orchestrator.rulebook.preflight import fingerprint_text
from orchestrator.rulebook.records import RuleRecord, Status
from teacher.models import RuleText

_BY_FILES: Final = "what it proposes is there"


def read_rule_text(value: object) -> RuleText | None:
    """Return the rule that a proposal's content has; None if it has none."""
    if not isinstance(value, dict) or not value.get("rule"):
        return None
    return RuleText(*(str(value.get(name) or "") for name in ("rule", "when", "why")))


def read_permission_rules(proposal: Proposal) -> list[str]:
    """Return the permission rules that a proposal would add."""
    return _read_list(proposal, RULES)


def read_added_rules(proposal: Proposal) -> list[str]:
    """Return the permission rules that accepting a proposal has added to the file."""
    return _read_list(proposal, ADDED)


def _read_list(proposal: Proposal, name: str) -> list[str]:
    values = proposal.content.get(name)
    return [str(each) for each in values] if isinstance(values, list) else []


def find_rule_record(proposal: Proposal, records: Sequence[RuleRecord]) -> RuleRecord | None:
    """Return the rule that a proposal became, or that it is about.

    That is the rule of its id, else one with its text, else one that was learned from its failure.
    """
    if proposal.rule:
        return next((each for each in records if each.rule.id == proposal.rule), None)
    if proposal.kind is ProposalKind.CHECK:
        return None
    name = TEXT if proposal.kind is ProposalKind.RULE else "rule"
    if text := read_rule_text(proposal.content.get(name)):
        mark = fingerprint_text(text)
        same = (each for each in records if fingerprint_text(each.rule.text) == mark)
        return next(same, None)
    if proposal.kind is not ProposalKind.RULE:
        return None
    return next((each for each in records if each.origin.failure == proposal.fingerprint), None)


def derive_proposal(proposal: Proposal, records: Sequence[RuleRecord], state: Path) -> Proposal:
    """Return a proposal as it stands.

    Args:
        proposal: the proposal as it is stored.
        records: the rules of the rulebook of its project.
        state: the state directory.
    """
    record = find_rule_record(proposal, records)
    if proposal.kind is ProposalKind.RULE:
        return _derive_rule(proposal, record) if record else proposal
    if not proposal.is_open:
        return proposal
    if proposal.kind is ProposalKind.CHECK:
        return _derive_check(proposal, record)
    try:
        is_done = _is_carried_out(proposal, record, state)
    except LoopError:  # `review show` says what is wrong with the file
        return proposal
    if not is_done:
        return proposal
    return _decide(proposal, ProposalStatus.ACCEPTED, _BY_FILES, record)


def refresh_proposals(
    store: ProposalStore, proposals: Sequence[Proposal], history: History, state: Path
) -> list[Proposal]:
    """Return proposals as they stand, after storing what has changed."""
    records = history.list_records() if proposals else []
    found = []
    for stored in proposals:
        derived = derive_proposal(stored, records, state)
        if derived.is_open and derived.rule != stored.rule:
            derived = store.attach_rule(stored.id, derived.rule)
        elif derived != stored:
            derived = store.decide(stored.id, derived.status, derived.reason, derived.rule)
        found.append(derived)
    return found


def _derive_rule(proposal: Proposal, record: RuleRecord) -> Proposal:
    if record.status.is_pending:
        return replace(proposal, status=ProposalStatus.WAITING, rule=record.rule.id)
    if record.status is Status.REJECTED:
        return _decide(proposal, ProposalStatus.REJECTED, "the rule was rejected", record)
    # A rule that was archived or withdrawn later was accepted once.
    why = "the rule was approved" if record.status.is_active else f"the rule is {record.status} now"
    return _decide(proposal, ProposalStatus.ACCEPTED, why, record)


def _derive_check(proposal: Proposal, record: RuleRecord | None) -> Proposal:
    if record and record.status is Status.ESCALATED:
        return _decide(proposal, ProposalStatus.ACCEPTED, "the rule is escalated", record)
    if record and not record.status.is_active:
        why = f"the rule is {record.status}"
        return _decide(proposal, ProposalStatus.DROPPED, why, record)
    return proposal


def _is_carried_out(proposal: Proposal, record: RuleRecord | None, state: Path) -> bool:
    """Return whether the files have what a proposal would write, or allow as much."""
    project = Path(proposal.project)
    if proposal.kind is ProposalKind.SKILL:
        skill = SkillFile(project, str(proposal.content.get("name")), state)
        is_indexed = record is not None and record.status.is_active
        return is_indexed and skill.has_text(str(proposal.content.get(TEXT)))
    PermissionFile(project, state).read_rules()  # raises if the file is not valid
    allowed = read_allow_rules(project, os.environ)
    rules = read_permission_rules(proposal)
    return bool(rules) and all(is_rule_covered(each, allowed) for each in rules)


def _decide(
    proposal: Proposal, status: ProposalStatus, reason: str, record: RuleRecord | None
) -> Proposal:
    """Return a proposal with a status; one that has it already stays as it is."""
    rule = record.rule.id if record else proposal.rule
    if proposal.status is status and proposal.rule == rule:
        return proposal
    return replace(proposal, status=status, reason=reason, rule=rule)
