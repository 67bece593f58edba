"""Show what a proposal would change, exactly, and what an accepted one has changed."""

from pathlib import Path

from orchestrator.errors import LoopError
from orchestrator.proposals.models import TEXT, Proposal, ProposalKind, ProposalStatus
from orchestrator.proposals.permissions import LOCAL_SETTINGS, PermissionFile
from orchestrator.proposals.skill_files import SkillFile
from orchestrator.proposals.states import (
    find_rule_record,
    read_added_rules,
    read_permission_rules,
    read_rule_text,
)
from orchestrator.rulebook.rule_input import validate_text
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.rulebook.rule_plans import RulePlanner
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.suggested_checks import suggest_check
from teacher.models import RuleText


class ChangePreview:
    """Shows the changes of the proposals of one project.

    Args:
        project: the project's real path.
        state: the state directory.
        book: the project's rulebook.
        manager: the same, for a person's requests.
    """

    def __init__(
        self, project: Path, state: Path, book: MarkdownRulebook, manager: RuleManager
    ) -> None:
        self._project, self._state, self._book, self._manager = project, state, book, manager

    def preview(self, proposal: Proposal) -> str:
        """Return the diff that accepting a proposal would make, or why it cannot be accepted."""
        if proposal.status is ProposalStatus.NEEDS_TEACHER:
            return "it changes nothing yet: it is not put into words"
        try:
            return self._render_change(proposal)
        except LoopError as error:
            return f"it cannot be accepted now: {error}"

    def list_files(self, proposal: Proposal) -> list[Path]:
        """Return the files that have what an accepted proposal has written."""
        found = list(self._manager.find_files(proposal.rule)) if proposal.rule else []
        if proposal.kind is ProposalKind.SKILL:
            path = self._open_skill(proposal).path
            found = [path, *found] if path.exists() else found
        elif proposal.kind is ProposalKind.PERMISSION:
            settings = PermissionFile(self._project, self._state)
            if set(read_added_rules(proposal)) & set(settings.read_rules()):
                found = [settings.path]
        elif proposal.kind is ProposalKind.CHECK:
            found = []
        return found

    def _render_change(self, proposal: Proposal) -> str:
        if proposal.kind is ProposalKind.PERMISSION:
            rules = read_permission_rules(proposal)
            diff = PermissionFile(self._project, self._state).preview_addition(rules)
            return diff or f"{LOCAL_SETTINGS} has it already"
        if proposal.kind is ProposalKind.SKILL:
            diff = self._open_skill(proposal).preview(str(proposal.content.get(TEXT)))
            index = read_rule_text(proposal.content.get("rule"))
            return diff + (self._preview_addition(index) if index else "")
        record = find_rule_record(proposal, self._manager.list_records())
        if proposal.kind is ProposalKind.CHECK:
            return suggest_check(record) if record else "the rule is not known any more"
        if record:
            return self._manager.preview_approval(record)
        text = read_rule_text(proposal.content.get(TEXT))
        return self._preview_addition(text) if text else "it has no text"

    def _preview_addition(self, text: RuleText) -> str:
        valid, planner = validate_text(text), RulePlanner(self._book)
        return self._book.preview_change(
            lambda file_set: planner.plan_new_rule(file_set, valid, ()).file_set
        )

    def _open_skill(self, proposal: Proposal) -> SkillFile:
        return SkillFile(self._project, str(proposal.content.get("name")), self._state)
