"""Define the queue: what a person can decide about, each once."""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.proposals.models import Proposal, ProposalKind
from orchestrator.proposals.states import find_rule_record
from orchestrator.rulebook.records import RuleRecord, Status


@dataclass(frozen=True)
class QueueItem:
    """One thing that a person can decide about: a proposal, a pending rule, or both in one."""

    proposal: Proposal | None
    record: RuleRecord | None = None
    """The rule that the proposal became or is about; of a pending rule, the rule."""

    @property
    def id(self) -> str:
        """The id by which it is named."""
        if self.proposal:
            return self.proposal.id
        return self.record.rule.id if self.record else ""

    @property
    def amended_rule(self) -> str:
        """The id of the rule that an accepted amendment became part of; empty for any other."""
        is_accepted = self.record is not None and self.record.status is Status.ARCHIVED
        return self.record.proposal.target if self.record and is_accepted else ""

    @property
    def is_open(self) -> bool:
        """Whether somebody has to decide."""
        if self.proposal:
            return self.proposal.is_open
        return bool(self.record and self.record.status.is_pending)


def build_items(
    proposals: Sequence[Proposal], records: Sequence[RuleRecord], *, is_open: bool
) -> list[QueueItem]:
    """Return proposals and pending rules as one queue, each once."""
    shown = [each for each in proposals if each.is_open or not is_open]
    items = [QueueItem(each, find_rule_record(each, records)) for each in shown]
    of_proposals = {each.rule for each in proposals if each.kind is ProposalKind.RULE}
    pending = [each for each in records if each.status.is_pending]
    return items + [QueueItem(None, each) for each in pending if each.rule.id not in of_proposals]


def describe_decision(proposal: Proposal) -> str:
    """Return a decision in a line: `rejected on 2026-11-28: not useful`."""
    day = f" on {proposal.decided.astimezone():%Y-%m-%d}" if proposal.decided else ""
    return f"{proposal.status}{day}" + (f": {proposal.reason}" if proposal.reason else "")
