"""Accept, edit and reject proposals: what a person does with the queue.

Files and rulebook are changed first, and the record follows: if the process is killed in between,
`states` derives the same decision from them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from orchestrator.errors import LoopError, UsageError
from orchestrator.proposals.changes import ChangePreview
from orchestrator.proposals.checks import escalate_rule, withdraw_escalation
from orchestrator.proposals.models import (
    ADDED,
    RULES,
    TEXT,
    Proposal,
    ProposalKind,
    ProposalStatus,
)
from orchestrator.proposals.permissions import PermissionFile, require_safe
from orchestrator.proposals.queue import QueueItem, build_items, describe_decision
from orchestrator.proposals.records import ProposalStore
from orchestrator.proposals.skill_files import SkillFile
from orchestrator.proposals.skills import explain_invalid_skill, explain_unreadable_skill
from orchestrator.proposals.states import (
    find_rule_record,
    read_added_rules,
    read_permission_rules,
    read_rule_text,
    refresh_proposals,
)
from orchestrator.rulebook.history import History
from orchestrator.rulebook.preflight import fingerprint_text
from orchestrator.rulebook.records import RuleRecord
from orchestrator.rulebook.rule_input import validate_text
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.text import overlay_text
from teacher.models import RuleText


@dataclass(frozen=True)
class DecisionResult:
    """What a decision did."""

    item: QueueItem
    files: tuple[Path, ...] = ()
    """The files that were changed."""
    archived_rules: tuple[str, ...] = ()
    """Rules that were archived for it, in a line each."""
    warning: str = ""


class ProposalManager:
    """Carries out a person's requests on the proposals of a project.

    Each method raises UsageError when there is no such proposal, or the request does not fit it.

    Args:
        project: the project's real path.
        state: the state directory.
        store: the proposals.
        book: the project's rulebook.
        history: its history.
    """

    def __init__(
        self,
        project: Path,
        state: Path,
        store: ProposalStore,
        book: MarkdownRulebook,
        history: History,
    ) -> None:
        self.project, self._state, self.store, self._history = project, state, store, history
        self._rules = RuleManager(book, history)
        self._changes = ChangePreview(project, state, book, self._rules)

    # ---- reading

    def list_records(self) -> list[RuleRecord]:
        """Return the rules of the rulebook."""
        return self._rules.list_records()

    def list_proposals(self) -> list[Proposal]:
        """Return all proposals of the project, as they stand."""
        stored = self.store.list_proposals(str(self.project))
        return refresh_proposals(self.store, stored, self._history, self._state)

    def list_items(self, *, is_open: bool = True) -> list[QueueItem]:
        """Return the proposals of the project and the pending rules, each once.

        Args:
            is_open: whether to leave out what somebody has decided about.
        """
        return build_items(self.list_proposals(), self.list_records(), is_open=is_open)

    def resolve_item(self, identity: str) -> QueueItem:
        """Return what an id, or the beginning of it, names: a proposal, or a rule."""
        items = self.list_items(is_open=False)
        exact = [each for each in items if each.id == identity]
        found = exact or [each for each in items if identity and each.id.startswith(identity)]
        if len(found) == 1:
            return found[0]
        if len(found) > 1:
            ids = ", ".join(each.id for each in found[:4])
            raise UsageError(f"{identity} is the beginning of several: {ids}", "write more of it")
        if identity.startswith("p-"):
            self._require_own(identity)
        rules = (*(each.rule for each in self.list_records()), *self._rules.list_hand_written())
        if identity and not any(each.id.startswith(identity) for each in rules):
            raise UsageError(
                f"there is no proposal and no rule {identity}", "see `orchestrator review list`"
            )
        record = self._rules.resolve_record(identity)
        about = [e for e in items if e.proposal and e.proposal.rule == record.rule.id]
        own = [e for e in about if e.proposal and e.proposal.kind is ProposalKind.RULE]
        return own[0] if own else QueueItem(None, record)

    def preview(self, item: QueueItem) -> str:
        """Return the diff that accepting would make, or why it cannot be accepted."""
        if item.proposal:
            return self._changes.preview(item.proposal)
        return self._rules.preview_approval(item.record) if item.record else ""

    def list_files(self, item: QueueItem) -> list[Path]:
        """Return the files that have what an accepted proposal, or a rule, has written."""
        if item.amended_rule or item.proposal is None:
            return list(self._rules.find_files(item.amended_rule or item.id))
        return self._changes.list_files(item.proposal)

    # ---- deciding

    def accept(self, identity: str) -> DecisionResult:
        """Carry out what a proposal proposes."""
        item = self.resolve_item(identity)
        proposal = item.proposal
        if proposal is None:
            return self._approve_rule(item)
        if proposal.status is ProposalStatus.NEEDS_TEACHER:
            raise UsageError(
                f"{proposal.id} is not put into words yet",
                f"write it yourself: orchestrator review edit {proposal.id} --rule TEXT",
            )
        if not proposal.is_open:
            raise UsageError(f"{proposal.id} is decided: {describe_decision(proposal)}")
        match proposal.kind:
            case ProposalKind.RULE:
                done = self._accept_rule(proposal, item)
            case ProposalKind.SKILL:
                done = self._accept_skill(proposal)
            case ProposalKind.PERMISSION:
                done = self._accept_permission(proposal)
            case ProposalKind.CHECK:
                record = escalate_rule(self._history, proposal.rule, proposal.title)
                done = DecisionResult(QueueItem(proposal, record))
        # The rule of an amendment stays the proposed one, and not the one that it became part of.
        rule = done.item.record.rule.id if done.item.record and not proposal.rule else ""
        decided = self.store.decide(proposal.id, ProposalStatus.ACCEPTED, "by a person", rule)
        return replace(done, item=QueueItem(decided, done.item.record))

    def reject(self, identity: str, reason: str = "") -> DecisionResult:
        """Reject a proposal for good; what an accepted one has written is removed again."""
        item = self.resolve_item(identity)
        proposal = item.proposal
        if proposal is None:
            done = self._rules.reject_rule(item.record.rule.id if item.record else identity)
            return DecisionResult(QueueItem(None, done.record), done.files)
        if proposal.status in (ProposalStatus.REJECTED, ProposalStatus.DROPPED):
            raise UsageError(f"{proposal.id} is decided: {describe_decision(proposal)}")
        files = self._withdraw(proposal, item)
        decided = self.store.decide(proposal.id, ProposalStatus.REJECTED, reason or "by a person")
        record = self._history.find_record(decided.rule) if decided.rule else None
        return DecisionResult(QueueItem(decided, record), files)

    def edit_rule(self, identity: str, text: RuleText, paths: Sequence[str] = ()) -> DecisionResult:
        """Change the text of a proposed rule; a field that is empty stays as it is."""
        item = self._resolve_open(identity, ProposalKind.RULE)
        if item.record:
            done = self._rules.edit_rule(item.record.rule.id, text, paths)
            return DecisionResult(self.resolve_item(item.id), done.files, warning=done.warning)
        proposal = _require_proposal(item)
        known = read_rule_text(proposal.content.get(TEXT)) or RuleText("", "", "")
        changed = validate_text(overlay_text(text, known))
        if not changed.rule:
            raise UsageError("the rule is empty", "say what to do or to avoid: --rule TEXT")
        return self._change_content(proposal, {TEXT: vars(changed)})

    def edit_skill(self, identity: str, text: str) -> DecisionResult:
        """Change the whole text of a proposed SKILL.md."""
        proposal = _require_proposal(self._resolve_open(identity, ProposalKind.SKILL))
        _require_valid_skill(str(proposal.content.get("name")), text)
        return self._change_content(proposal, {TEXT: text})

    def edit_permissions(self, identity: str, rules: Sequence[str]) -> DecisionResult:
        """Change the permission rules of a proposal."""
        proposal = _require_proposal(self._resolve_open(identity, ProposalKind.PERMISSION))
        require_safe(rules)
        return self._change_content(proposal, {RULES: list(dict.fromkeys(rules))})

    # ---- carrying out

    def _change_content(self, proposal: Proposal, content: dict[str, Any]) -> DecisionResult:
        return DecisionResult(QueueItem(self.store.change_content(proposal.id, content)))

    def _approve_rule(self, item: QueueItem) -> DecisionResult:
        done = self._rules.approve_rule(item.record.rule.id if item.record else item.id)
        gone = tuple(f"{rule.id}: {rule.text.rule}" for rule in done.archived_rules)
        return DecisionResult(QueueItem(item.proposal, done.record), done.files, gone, done.warning)

    def _accept_rule(self, proposal: Proposal, item: QueueItem) -> DecisionResult:
        if item.record:
            return self._approve_rule(item)
        text = read_rule_text(proposal.content.get(TEXT))
        if text is None:
            raise UsageError(f"{proposal.id} has no text", f"reject it, or edit {proposal.id}")
        return self._add_rule(proposal, text)

    def _add_rule(self, proposal: Proposal, text: RuleText) -> DecisionResult:
        done = self._rules.add_rule(text)
        gone = tuple(f"{rule.id}: {rule.text.rule}" for rule in done.archived_rules)
        return DecisionResult(QueueItem(proposal, done.record), done.files, gone, done.warning)

    def _accept_skill(self, proposal: Proposal) -> DecisionResult:
        """Write the skill, and then its index line; a skill without one is removed again."""
        index = read_rule_text(proposal.content.get("rule"))
        text = str(proposal.content.get(TEXT))
        skill = SkillFile(self.project, str(proposal.content.get("name")), self._state)
        _require_valid_skill(skill.name, text, index)
        written = skill.write(text)
        files = (written,) if written else ()
        if index is None:
            return DecisionResult(QueueItem(proposal), files)
        if record := self._find_active_rule(index):  # a process was killed after it was added
            return DecisionResult(QueueItem(proposal, record), files)
        try:
            done = self._add_rule(proposal, index)
        except LoopError:
            if written:
                skill.remove(text)
            raise
        return replace(done, files=(*files, *done.files))

    def _accept_permission(self, proposal: Proposal) -> DecisionResult:
        """Add the rules, after noting which of them are new: only these are removed again."""
        settings, rules = PermissionFile(self.project, self._state), read_permission_rules(proposal)
        require_safe(rules)
        known = settings.read_rules()
        new = [each for each in rules if each not in known]
        changed = self.store.change_content(proposal.id, {ADDED: new})
        path = settings.add_rules(rules)
        return DecisionResult(QueueItem(changed), (path,) if path else ())

    def _withdraw(self, proposal: Proposal, item: QueueItem) -> tuple[Path, ...]:
        """Remove what a proposal has written; return the files that were changed."""
        match proposal.kind:
            case ProposalKind.RULE:
                if item.record is None:
                    return ()
                if target := item.amended_rule:
                    raise UsageError(
                        f"{proposal.id} became part of {target}, whose earlier text stays known",
                        f"see `orchestrator rules why {target}`, and use `rules edit {target}`",
                    )
                return self._rules.reject_rule(item.record.rule.id).files
            case ProposalKind.SKILL:
                return self._withdraw_skill(proposal)
            case ProposalKind.PERMISSION if proposal.status is ProposalStatus.ACCEPTED:
                settings = PermissionFile(self.project, self._state)
                path = settings.remove_rules(read_added_rules(proposal))
                return (path,) if path else ()
            case ProposalKind.CHECK if proposal.status is ProposalStatus.ACCEPTED:
                withdraw_escalation(self._history, proposal.rule, "a person needs no check")
        return ()

    def _withdraw_skill(self, proposal: Proposal) -> tuple[Path, ...]:
        skill = SkillFile(self.project, str(proposal.content.get("name")), self._state)
        removed = skill.remove(str(proposal.content.get(TEXT)))
        record = find_rule_record(proposal, self.list_records())
        files: tuple[Path, ...] = (removed,) if removed else ()
        if record and record.status.is_active:
            files = (*files, *self._rules.retire_rule(record.rule.id).files)
        return files

    # ---- looking up

    def _find_active_rule(self, text: RuleText) -> RuleRecord | None:
        mark = fingerprint_text(validate_text(text))
        return next(
            (
                each
                for each in self.list_records()
                if each.status.is_active and fingerprint_text(each.rule.text) == mark
            ),
            None,
        )

    def _require_own(self, identity: str) -> None:
        """Raise an error that names the project of a proposal that is not of this one."""
        other = self.store.resolve_proposal(identity)
        raise UsageError(
            f"{other.id} is of another project: {other.project}",
            f"add --project-dir {other.project}",
        )

    def _resolve_open(self, identity: str, kind: ProposalKind) -> QueueItem:
        item = self.resolve_item(identity)
        found = item.proposal.kind if item.proposal else ProposalKind.RULE
        if found is not kind:
            raise UsageError(f"{item.id} is a {found}, not a {kind}")
        if item.proposal and not item.proposal.is_open:
            raise UsageError(f"{item.id} is decided: {describe_decision(item.proposal)}")
        return item


def _require_proposal(item: QueueItem) -> Proposal:
    if item.proposal is None:
        raise UsageError(f"{item.id} is a rule", f"see `orchestrator rules show {item.id}`")
    return item.proposal


def _require_valid_skill(name: str, text: str, index: RuleText | None = None) -> None:
    """Check that Claude Code would load a skill, and that a person sees all of it.

    Raises:
        UsageError: one of the two is not so.
    """
    if why := explain_invalid_skill(text, name):
        raise UsageError(f"Claude Code would not load the skill {name}: {why}")
    if found := explain_unreadable_skill(text, index):
        raise UsageError(f"the skill {name} has {found}", "write it without them, or reject it")
