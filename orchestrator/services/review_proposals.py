"""Turn findings in past sessions into proposals, and follow up those that were accepted."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from orchestrator.agents.claude_instructions import read_instructions
from orchestrator.proposals.checks import draft_check
from orchestrator.proposals.models import (
    OCCURRENCES,
    RULES,
    SESSIONS,
    SESSIONS_SEEN,
    TEXT,
    Proposal,
    ProposalDraft,
    ProposalKind,
    ProposalStatus,
)
from orchestrator.proposals.permission_safety import explain_refusal
from orchestrator.proposals.records import ProposalStore
from orchestrator.proposals.skill_files import list_taken_names
from orchestrator.proposals.skills import Procedure, draft_skill
from orchestrator.rulebook.records import RuleRecord, Witness
from orchestrator.rulebook.witness import witness_rules
from orchestrator.sessions.counting.alike_words import group_alike
from orchestrator.sessions.counting.command_sequences import are_alike
from orchestrator.sessions.counting.findings import (
    THRESHOLDS,
    Remedy,
    SessionFinding,
    StoredOccurrence,
)
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.detectors.procedures import SEPARATOR
from orchestrator.sessions.store.project_sessions import format_transcript_time
from orchestrator.sessions.store.session_counts import find_transcript
from orchestrator.sessions.views.report import FindingReport, FollowUp
from orchestrator.storage.database import Database

KEY: Final = "key"
"""Key of a proposal's content: what it is about, by which it is found in other nights."""
DIFF: Final = "diff"
"""Key of a proposal's content: the changes of a test loop, which the teacher sees."""

_SPOKEN: Final = (Detector.REJECTION, Detector.CORRECTION)
"""Detectors whose keys are words of a person."""
MOST_NEW: Final = 5
"""New proposals of one kind and project in one review: a long queue is not read."""


def create_rule_finder(
    database: Database, records: Sequence[RuleRecord]
) -> Callable[[str, str], str]:
    """Return a function that finds the rule against a finding that a session had loaded.

    Only what a transcript shows counts: a rule in a file may have come after the session.
    """
    by_failure: dict[str, RuleRecord] = {
        record.origin.failure: record
        for record in records
        if record.status.is_active and record.origin.failure
    }

    @lru_cache(maxsize=1000)
    def find(fingerprint: str, session: str) -> str:
        record = by_failure.get(fingerprint)
        transcript = find_transcript(database, session) if record else None
        instructions = read_instructions(transcript) if transcript else ()
        if record is None or not instructions:
            return ""
        witness = witness_rules([record.rule], instructions)[0].witness
        return record.rule.id if witness is Witness.TRANSCRIPT else ""

    return find


class FindingProposer:
    """Makes proposals of the findings of one project.

    Args:
        project: the project's real path.
        store: the proposals.
        records: the rules of the project, for checks.
        dry_run: whether only to say what would be proposed.
    """

    def __init__(
        self,
        project: Path,
        store: ProposalStore,
        records: Sequence[RuleRecord],
        *,
        dry_run: bool = False,
    ) -> None:
        self._project, self._store, self._dry_run = project, store, dry_run
        self._new: Counter[ProposalKind] = Counter()
        self._records = {record.rule.id: record for record in records}
        self._known = {
            (each.kind, each.fingerprint): each for each in store.list_proposals(str(project))
        }

    def is_new(self, finding: SessionFinding) -> bool:
        """Return whether a finding is to be proposed, and was not yet, under any of its keys."""
        if finding.remedy is Remedy.NONE:
            return False
        return self._find_known(ProposalKind(finding.remedy.value), finding) is None

    def propose(self, finding: SessionFinding, sessions_seen: int) -> FindingReport:
        """Store a proposal for a finding, unless somebody has decided about it before.

        Args:
            finding: the finding.
            sessions_seen: in how many sessions it was looked for.
        """
        if finding.remedy is Remedy.NONE:
            return FindingReport(finding, "")
        kind = ProposalKind(finding.remedy.value)
        known = self._find_known(kind, finding)
        if known and not known.is_open:
            return FindingReport(finding, describe_known(known), known.id)
        if known and kind is ProposalKind.SKILL and known.fingerprint != finding.fingerprint:
            return FindingReport(finding, describe_open(known), known.id)
        fingerprint = known.fingerprint if known else finding.fingerprint
        draft = self._draft(kind, finding, sessions_seen, fingerprint)
        return (
            FindingReport(finding, draft) if isinstance(draft, str) else self._add(finding, draft)
        )

    def _add(self, finding: SessionFinding, draft: ProposalDraft) -> FindingReport:
        if (draft.kind, draft.fingerprint) not in self._known:
            if self._new[draft.kind] == MOST_NEW:
                return FindingReport(finding, "left for the next review: there are many")
            self._new[draft.kind] += 1
        if self._dry_run:
            return FindingReport(finding, f"would be proposed as a {draft.kind}")
        proposal = self._store.add_proposal(draft)
        if proposal is None:  # decided about in this moment
            return FindingReport(finding, "decided before")
        self._known[proposal.kind, proposal.fingerprint] = proposal
        return FindingReport(finding, describe_open(proposal), proposal.id)

    def _find_known(self, kind: ProposalKind, finding: SessionFinding) -> Proposal | None:
        """Return the proposal that is about the same, rather one that is decided.

        Its key may be another one: the words that were said first may be out of the period, and a
        procedure grows and shrinks with the sessions that are counted.
        """
        fingerprints = (finding.fingerprint, *finding.other_fingerprints)
        same = [
            known for each in fingerprints if (known := self._known.get((kind, each))) is not None
        ]
        same += _list_alike([each for each in self._known.values() if each.kind is kind], finding)
        decided = [each for each in same if not each.is_open]
        return next(iter(decided + same), None)

    def _draft(
        self, kind: ProposalKind, finding: SessionFinding, sessions_seen: int, fingerprint: str
    ) -> ProposalDraft | str:
        """Return the proposal, or in a few words why there is none."""
        content: dict[str, Any] = {
            SESSIONS: len(finding.sessions),
            SESSIONS_SEEN: sessions_seen,
            OCCURRENCES: finding.occurrences,
            KEY: finding.key,
        }
        rule = ""
        match kind:
            case ProposalKind.RULE:
                if isinstance(diff := finding.detail.get(DIFF), str):
                    content[DIFF] = diff
            case ProposalKind.PERMISSION:
                allowed = str(finding.detail.get("rule") or finding.key)
                if why := explain_refusal(allowed):
                    return f"no proposal: {why}"
                content[RULES] = [allowed]
            case ProposalKind.SKILL:
                taken = list_taken_names(self._project, self._known.values(), fingerprint)
                drafted = draft_skill(_build_procedure(finding), taken)
                if drafted is None:
                    return "no proposal: a command cannot be written safely into a skill"
                content |= {"name": drafted.name, TEXT: drafted.text, "rule": vars(drafted.index)}
            case ProposalKind.CHECK:
                rule = str(finding.detail.get("rule", ""))
                record = self._records.get(rule)
                if record is None or not draft_check(record):
                    return f"rule {rule} is broken again; it has a check already"
        return ProposalDraft(
            str(self._project),
            kind,
            fingerprint,
            finding.title,
            content,
            finding.evidence,
            finding.detector,
            rule,
        )


def _list_alike(proposals: Sequence[Proposal], finding: SessionFinding) -> list[Proposal]:
    """Return the proposals of one kind that are about the same as a finding, under another key.

    A procedure that is longer than one that waits is another proposal: what is accepted is what was
    shown.
    """
    if finding.detector is Detector.PROCEDURE:
        commands = finding.key.split(SEPARATOR)
        shown = [(each, str(each.content.get(KEY)).split(SEPARATOR)) for each in proposals]
        return [
            each
            for each, its in shown
            if are_alike(commands, its) and not (each.is_open and len(its) < len(commands))
        ]
    if finding.detector not in _SPOKEN:
        return []
    words = [finding.key, *finding.other_keys]
    spoken = [each for each in proposals if each.detector in _SPOKEN and each.content.get(KEY)]
    groups = group_alike([*words, *(str(each.content[KEY]) for each in spoken)])
    return [
        spoken[index - len(words)]
        for group in groups
        if group[0] < len(words)
        for index in group
        if index >= len(words)
    ]


def _build_procedure(finding: SessionFinding) -> Procedure:
    days = sorted(each.at[:10] for each in finding.evidence)
    commands = [str(each) for each in finding.detail.get("commands", ())]
    return Procedure(commands, len(finding.sessions), days[0], days[-1])


def describe_open(proposal: Proposal) -> str:
    """Return what a proposal waits for."""
    if proposal.status is ProposalStatus.NEEDS_TEACHER:
        return "a rule; it waits for the teacher"
    return f"a {proposal.kind}; it waits for you"


def describe_known(proposal: Proposal) -> str:
    """Return what was decided about a proposal before."""
    day = f" on {proposal.decided.astimezone():%Y-%m-%d}" if proposal.decided else ""
    return f"{proposal.status}{day}"


def is_followed_up(proposal: Proposal) -> bool:
    """Return whether it can be counted what an accepted proposal did: not for all kinds.

    Whether a skill was used, or a prompt for a permission did not appear, stands in no transcript.
    """
    is_counted = proposal.kind in (ProposalKind.RULE, ProposalKind.CHECK)
    return is_counted and proposal.status is ProposalStatus.ACCEPTED and bool(proposal.decided)


def follow_up_proposals(
    proposals: Sequence[Proposal],
    occurrences: Sequence[StoredOccurrence],
    sessions: Mapping[str, str],
    lookback: timedelta,
) -> tuple[FollowUp, ...]:
    """Return, for accepted proposals, in how many sessions the same was found before and since.

    These are numbers and no proof: nothing else was held equal.

    Args:
        proposals: those of one project for which `is_followed_up` says yes.
        occurrences: what was found in its sessions.
        sessions: the start of each of its sessions that may teach, by id.
        lookback: how long before the decision sessions are counted.
    """
    reports = []
    for proposal in proposals:
        if proposal.decided is None:
            continue
        accepted = format_transcript_time(proposal.decided)
        first = format_transcript_time(proposal.decided - lookback)
        before = {name for name, started in sessions.items() if first <= started < accepted}
        since = {name for name, started in sessions.items() if started >= accepted}
        hit = _find_sessions(proposal, occurrences)
        reports.append(
            FollowUp(
                proposal.id,
                proposal.title.rpartition(": ")[0] or proposal.title,
                proposal.decided.astimezone(),
                len(before & hit),
                len(since & hit),
                len(before),
                len(since),
            )
        )
    return tuple(reports)


def _find_sessions(proposal: Proposal, occurrences: Sequence[StoredOccurrence]) -> set[str]:
    """Return the sessions with what a proposal is about, by the measures of its finding."""
    detector = Detector(proposal.detector)
    of_kind = [each for each in occurrences if each.detector is detector]
    keys = {str(proposal.content.get(KEY))}
    if detector in _SPOKEN:
        texts = [*keys, *sorted({each.key for each in of_kind})]
        keys = {texts[at] for group in group_alike(texts) if 0 in group for at in group}
    counts: Counter[str] = Counter()
    for each in of_kind:
        if each.key in keys:
            counts[each.session] += 1
    least = THRESHOLDS[detector].in_each
    return {session for session, count in counts.items() if count >= least}
