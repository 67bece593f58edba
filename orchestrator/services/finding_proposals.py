"""Make proposals of what was found in sessions."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from orchestrator.proposals.checks import draft_check
from orchestrator.proposals.decisions import ProposalManager
from orchestrator.proposals.models import (
    OCCURRENCES,
    RULES,
    SESSIONS,
    SESSIONS_SEEN,
    TEXT,
    EvidencePlace,
    Proposal,
    ProposalDraft,
    ProposalKind,
)
from orchestrator.proposals.permission_safety import explain_refusal
from orchestrator.proposals.skill_files import list_skill_names
from orchestrator.proposals.skills import Procedure, draft_skill
from orchestrator.rulebook.records import RuleRecord
from orchestrator.sessions.findings import Remedy, SessionFinding

RULE_KEY: Final = "rule"
"""Key of a finding's detail: the permission rule, or the id of the rule that is broken again."""
DETAIL: Final = "detail"
"""Key of the content of a rule's proposal: the finding's detail, for the teacher."""
COMMANDS_KEY: Final = "commands"
"""Key of a finding's detail: the commands of a procedure, in order."""


@dataclass(frozen=True)
class ProposedFindings:
    """What became of the findings of a project."""

    new: tuple[Proposal, ...] = ()
    again: tuple[Proposal, ...] = ()
    """Those that wait already, with their newer counts."""
    decided: int = 0
    """Findings that somebody has decided about: they do not come back."""
    refused: int = 0
    """Findings that cannot be proposed safely."""


def propose_findings(
    manager: ProposalManager, findings: Sequence[SessionFinding], sessions_seen: int
) -> ProposedFindings:
    """Put the findings of a project into its queue, each once.

    Args:
        manager: the proposals of the project.
        findings: what was found; those that are only counted are left out.
        sessions_seen: the number of sessions of the project that were looked at.
    """
    new: list[Proposal] = []
    again: list[Proposal] = []
    decided = refused = 0
    for finding in findings:
        if finding.remedy is Remedy.NONE:
            continue
        known = {each.id: each for each in manager.list_proposals()}
        skills = list_skill_names(manager.project) | _list_skills(known.values(), finding)
        draft = draft_proposal(finding, sessions_seen, skills, manager.list_records())
        if draft is None:
            refused += 1
        elif (proposal := manager.store.add_proposal(draft)) is None:
            decided += 1
        else:
            (again if proposal.id in known else new).append(proposal)
    return ProposedFindings(tuple(new), tuple(again), decided, refused)


def draft_proposal(
    finding: SessionFinding,
    sessions_seen: int,
    skills: Collection[str] = (),
    records: Sequence[RuleRecord] = (),
) -> ProposalDraft | None:
    """Return what a finding proposes; None if it is only counted, or cannot be proposed safely.

    Args:
        finding: what was found.
        sessions_seen: the number of sessions of the project that were looked at.
        skills: the names of the project's skills.
        records: the rules of the project, of which a check enforces one.
    """
    counts = {
        SESSIONS: len(finding.sessions),
        SESSIONS_SEEN: sessions_seen,
        OCCURRENCES: finding.occurrences,
    }
    match finding.remedy:
        case Remedy.RULE:
            content = {DETAIL: dict(finding.detail), **counts}
            return _build_draft(finding, ProposalKind.RULE, content)
        case Remedy.SKILL:
            return _draft_skill(finding, counts, skills)
        case Remedy.PERMISSION:
            rule = str(finding.detail.get(RULE_KEY, ""))
            content = {RULES: [rule], **counts}
            is_safe = not explain_refusal(rule)
            return _build_draft(finding, ProposalKind.PERMISSION, content) if is_safe else None
        case Remedy.CHECK:
            rule = str(finding.detail.get(RULE_KEY, ""))
            is_due = any(each.rule.id == rule and draft_check(each) for each in records)
            return _build_draft(finding, ProposalKind.CHECK, counts, rule) if is_due else None
        case _:
            return None


def _list_skills(proposals: Iterable[Proposal], finding: SessionFinding) -> frozenset[str]:
    """Return the names of the skills that wait, but for that of the same finding."""
    return frozenset(
        str(each.content.get("name"))
        for each in proposals
        if each.kind is ProposalKind.SKILL
        and each.is_open
        and each.fingerprint != finding.fingerprint
    )


def _draft_skill(
    finding: SessionFinding, counts: dict[str, int], skills: Collection[str]
) -> ProposalDraft | None:
    commands = finding.detail.get(COMMANDS_KEY)
    days = sorted(each.at for each in finding.evidence if each.at)
    procedure = Procedure(
        [str(each) for each in commands] if isinstance(commands, list | tuple) else [],
        len(finding.sessions),
        days[0] if days else "",
        days[-1] if days else "",
    )
    draft = draft_skill(procedure, skills)
    if draft is None:
        return None
    content = {"name": draft.name, TEXT: draft.text, RULE_KEY: vars(draft.index)}
    return _build_draft(finding, ProposalKind.SKILL, {**content, **counts})


def _build_draft(
    finding: SessionFinding, kind: ProposalKind, content: dict[str, Any], rule: str = ""
) -> ProposalDraft:
    evidence = tuple(
        EvidencePlace(each.session, each.row, each.at, each.quote) for each in finding.evidence
    )
    return ProposalDraft(
        finding.project,
        kind,
        finding.fingerprint,
        finding.title,
        content,
        evidence,
        finding.detector,
        rule,
    )
