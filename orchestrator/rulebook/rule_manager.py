"""What a person can do with the rules: add, edit, retire, restore, reject, approve.

The files are written before the history: if the process is killed in between, the history follows
the files when they are read next. Withdrawals are the exception, see `_withdraw_rule`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from orchestrator.errors import RulebookError, UsageError
from orchestrator.models import Approval, Rule
from orchestrator.rulebook.file_differences import list_changed_files
from orchestrator.rulebook.history import History
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    find_conflict,
    is_same_rule,
)
from orchestrator.rulebook.records import (
    Origin,
    RuleEvent,
    RuleEventKind,
    RuleRecord,
    Status,
    describe_difference,
)
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.rule_input import build_warning, resolve_scope, validate_text
from orchestrator.rulebook.rule_plans import BY_HAND, PlannedEdit, RulePlanner
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.screening.screen import screen
from orchestrator.rulebook.similarity import Shortlist
from orchestrator.rulebook.suggested_checks import replace_rule
from orchestrator.rulebook.text import overlay_text
from teacher.models import RuleText


@dataclass(frozen=True)
class ChangeResult:
    """What a person's request did to a rule."""

    record: RuleRecord
    files: tuple[Path, ...] = ()
    """The files that were changed."""
    archived_rules: tuple[Rule, ...] = ()
    """Rules that were archived for it."""
    warning: str = ""
    """What a person should know about it."""


Plan = Callable[[RuleFileSet], PlannedEdit]
"""Returns the files after a change; called again when somebody else has written them."""

_ACTIVATIONS: Final = frozenset(
    (
        *(RuleEventKind.ADDED, RuleEventKind.ADDED_ON_BRANCH, RuleEventKind.ADDED_BY_HAND),
        *(RuleEventKind.ADOPTED, RuleEventKind.RETURNED),
        *(RuleEventKind.APPROVED, RuleEventKind.RESTORED),
    )
)
"""Events by which a rule comes into the files."""


def _allow_any_file(_files: Sequence[Path]) -> None:
    """Allow any file to be changed."""


class RuleManager:
    """Carries out a person's requests on the rules of a project.

    Each method raises UsageError when there is no such rule, or its status does not allow the
    request.
    """

    def __init__(self, book: MarkdownRulebook, history: History) -> None:
        self._book, self._history, self._planner = book, history, RulePlanner(book)
        book.list_rules()  # people may have edited the files

    # ---- reading

    def list_records(self) -> list[RuleRecord]:
        """Return the records of all rules."""
        return self._history.list_records()

    def resolve_record(self, rule: str) -> RuleRecord:
        """Return one rule's record, by its id or the beginning of it."""
        try:
            return self._history.resolve_record(rule)
        except UsageError:
            if len(found := self._find_hand_written(rule)) != 1:
                raise
            raise UsageError(
                f"{found[0].id} was written by hand and is not adopted: it has no history",
                f"adopt it: orchestrator rules adopt {found[0].id}",
            ) from None

    def list_events(self, rule: str) -> Sequence[RuleEvent]:
        """Return what happened to a rule, the oldest first."""
        return self._history.list_events(rule)

    def list_hand_written(self) -> Sequence[Rule]:
        """Return the rules that people wrote into the files, and that nobody adopted."""
        return self._book.list_hand_written()

    def list_pending(self) -> list[RuleRecord]:
        """Return the rules that wait for a person."""
        return [record for record in self._history.list_records() if record.status.is_pending]

    def preview_approval(self, record: RuleRecord) -> str:
        """Return the diff that the approval of a pending rule would make, or why it cannot be."""

        def change(file_set: RuleFileSet) -> RuleFileSet:
            return self._planner.plan_approval(file_set, record).file_set

        try:
            return self._book.preview_change(change)
        except (UsageError, RulebookError) as error:
            return f"it cannot be approved now: {error}"

    def find_files(self, rule: str) -> Sequence[Path]:
        """Return the files that contain a rule."""
        return self._book.find_files(rule)

    # ---- changing

    def add_rule(self, text: RuleText, paths: Sequence[str] = ()) -> ChangeResult:
        """Add a person's own rule, which must not repeat or contradict an active one."""
        scope = self._resolve_scope(paths) or ()
        warning = build_warning(text, paths)
        text = validate_text(text)
        if not text.rule:
            raise UsageError("the rule is empty", "say what to do or to avoid: --rule TEXT")
        edit, files = self._execute_plan(
            lambda file_set: self._planner.plan_new_rule(file_set, text, scope)
        )
        done = self._record_addition(edit, files, BY_HAND, RuleEventKind.ADDED_BY_HAND)
        return replace(done, warning=warning)

    def adopt_rule(self, rule: str) -> ChangeResult:
        """Make a rule that a person wrote into a file an active one: it gets a comment."""
        found = self._find_hand_written(rule)
        if not found:
            known = self._history.resolve_record(rule)
            raise UsageError(f"{known.rule.id} is not written by hand: it is {known.status}")
        if len(found) > 1:
            raise UsageError(f"several begin with {rule}", "see `orchestrator rules list`")
        plan = partial(self._planner.plan_adoption, rule_id=found[0].id)
        edit, files = self._execute_plan(plan)
        return self._record_addition(edit, files, Origin(), RuleEventKind.ADOPTED)

    def edit_rule(self, rule: str, text: RuleText, paths: Sequence[str] = ()) -> ChangeResult:
        """Change a rule's text, and its scope if one is given; its id and history stay the same.

        A field that is empty stays as it is.
        """
        record, scope = self.resolve_record(rule), self._resolve_scope(paths)
        warning = build_warning(text, paths)
        text = validate_text(text)
        if not record.status.is_active:
            return replace(self._edit_inactive_rule(record, text, scope), warning=warning)
        edit, files = self._execute_plan(
            lambda file_set: self._planner.plan_edit(file_set, record.rule.id, text, scope)
        )
        return replace(self._record_amendment(edit, files, record), warning=warning)

    def retire_rule(self, rule: str) -> ChangeResult:
        """Archive an active rule; only a person can restore it."""
        record = self.resolve_record(rule)
        if not record.status.is_active:
            raise UsageError(f"{record.rule.id} is not active: it is {record.status}")
        return self._withdraw_rule(record, Status.ARCHIVED, RuleEventKind.RETIRED)

    def reject_rule(self, rule: str) -> ChangeResult:
        """Reject a rule for good: it leaves the files, and the teacher is shown the rejection."""
        record = self.resolve_record(rule)
        if record.status is Status.REJECTED:
            raise UsageError(f"{record.rule.id} was rejected before")
        return self._withdraw_rule(record, Status.REJECTED, RuleEventKind.REJECTED)

    def restore_rule(self, rule: str) -> ChangeResult:
        """Activate a rule that has left the files."""
        record = self.resolve_record(rule)
        if record.status.is_active or record.status.is_pending:
            raise UsageError(f"{record.rule.id} cannot be restored: it is {record.status}")
        if not self._was_active(record):  # it was rejected while it waited
            self._require_approvable(record)
        edit, files = self._execute_plan(
            lambda file_set: self._planner.plan_restoration(file_set, record)
        )
        done = self._record_addition(edit, files, record.origin, RuleEventKind.RESTORED)
        return _warn_lost_scope(record, done)

    def approve_rule(
        self, rule: str, check: Callable[[Sequence[Path]], None] = _allow_any_file
    ) -> ChangeResult:
        """Activate a pending rule; rules that it contradicts are archived.

        Args:
            rule: the rule's id, or the beginning of it.
            check: called with the files that are to change, before any does; may raise.
        """
        record = self.resolve_record(rule)
        if not record.status.is_pending:
            raise UsageError(f"{record.rule.id} is not pending: it is {record.status}")
        self._require_approvable(record)

        def plan(file_set: RuleFileSet) -> PlannedEdit:
            edit = self._planner.plan_approval(file_set, record)
            changed = list_changed_files(file_set, edit.file_set)
            check([self._book.resolve_path(name) for name in changed])
            return edit

        edit, files = self._execute_plan(plan)
        if edit.amends:
            return self._record_approved_amendment(edit, files, record)
        done = self._record_addition(edit, files, record.origin, RuleEventKind.APPROVED)
        return _warn_lost_scope(record, done)

    # ---- carrying out

    def _execute_plan(self, plan: Plan) -> tuple[PlannedEdit, tuple[Path, ...]]:
        """Change the files as planned; return the edit that was written, and the files."""
        edits: list[PlannedEdit] = []

        def change(file_set: RuleFileSet) -> RuleFileSet:
            edits.append(plan(file_set))
            return edits[-1].file_set

        files = self._book.edit_files(change)
        return edits[-1], files

    def _edit_inactive_rule(
        self, record: RuleRecord, text: RuleText, scope: tuple[str, ...] | None
    ) -> ChangeResult:
        changed = replace(
            record.rule,
            text=overlay_text(text, record.rule.text),
            paths=record.rule.paths if scope is None else scope,
        )
        self._record_change(self._recheck_pending(record, changed), changed)
        return ChangeResult(self.resolve_record(record.rule.id))

    def _withdraw_rule(
        self, record: RuleRecord, status: Status, kind: RuleEventKind
    ) -> ChangeResult:
        # The refusal is recorded first: if the process is killed after it, the rule stays out.
        self._history.record_refusal(record)
        files = self._book.remove_rule(record.rule.id)
        self._history.change_status(record.rule.id, status, kind, "by a person")
        return ChangeResult(self.resolve_record(record.rule.id), files)

    def _recheck_pending(self, record: RuleRecord, rule: Rule) -> RuleRecord:
        """Return the record of a pending rule with the reason why its new text is pending."""
        if not record.status.is_pending:
            return record
        others = [each for each in self._book.list_rules() if each.id != record.proposal.target]
        found = find_conflict(rule.text, others, PreflightContext())
        if found and found.objection is Objection.CONTRADICTION:
            status, reason, against = Status.QUARANTINED, found.message, found.rule.id
        else:
            screening = screen(rule.text, rule.paths)
            status = Status.QUARANTINED if screening.defect else Status.WAITING
            reason = screening.reason or "you changed it; it waits for your approval"
            against = ""
        proposal = replace(record.proposal, against=against)
        return replace(record, status=status, reason=reason, proposal=proposal)

    def _require_approvable(self, record: RuleRecord) -> None:
        context = self._book.read_context()
        screening = screen(record.rule.text, record.rule.paths)
        if context and context.approval is Approval.STRICT and not screening.is_free:
            raise UsageError(
                f"{record.rule.id} cannot be approved, because learning.approval is strict:"
                f" {screening.reason}",
                "write it in your own words with `orchestrator rules add`, or reject it",
            )

    def _find_hand_written(self, rule: str) -> Sequence[Rule]:
        """Return the hand-written rules with this id, or the beginning of it."""
        known = self.list_hand_written()
        exact = [each for each in known if each.id == rule]
        return exact or [each for each in known if rule and each.id.startswith(rule)]

    def _was_active(self, record: RuleRecord) -> bool:
        """Return whether a rule was ever in the files, so that it is more than a proposal."""
        return any(event.what in _ACTIVATIONS for event in self.list_events(record.rule.id))

    def _resolve_scope(self, paths: Sequence[str]) -> tuple[str, ...] | None:
        return resolve_scope(paths, can_scope_rules=self._book.can_scope_rules)

    # ---- recording

    def _record_addition(
        self, edit: PlannedEdit, files: tuple[Path, ...], origin: Origin, kind: RuleEventKind
    ) -> ChangeResult:
        self._delete_refusals(edit.rule.text)
        known = self._history.find_record(edit.rule.id)
        status = known.status_when_restored if known else Status.ACTIVE
        self._history.record_rule(edit.rule, status, origin, what=kind)
        return self._record_archived_rules(edit, files)

    def _record_amendment(
        self, edit: PlannedEdit, files: tuple[Path, ...], record: RuleRecord
    ) -> ChangeResult:
        self._delete_refusals(edit.rule.text)
        self._record_change(record, edit.rule)
        return self._record_archived_rules(edit, files)

    def _record_approved_amendment(
        self, edit: PlannedEdit, files: tuple[Path, ...], proposal: RuleRecord
    ) -> ChangeResult:
        done = self._record_amendment(edit, files, self.resolve_record(edit.rule.id))
        why = f"it became part of {edit.rule.id}"
        self._history.change_status(proposal.rule.id, Status.ARCHIVED, RuleEventKind.APPROVED, why)
        return done

    def _record_archived_rules(self, edit: PlannedEdit, files: tuple[Path, ...]) -> ChangeResult:
        rule = edit.rule.id
        archive = partial(
            self._history.change_status, status=Status.ARCHIVED, what=RuleEventKind.ARCHIVED
        )
        for old in edit.replaced_rules:
            archive(old.id, reason=f"{rule} took its place")
        for old in edit.leaving:
            archive(old.id, reason=f"to make room for {rule}")
        return ChangeResult(self.resolve_record(rule), files, (*edit.replaced_rules, *edit.leaving))

    def _record_change(self, record: RuleRecord, rule: Rule) -> None:
        changed = replace(replace_rule(record, rule), mattered=self._history.now())
        difference = describe_difference(record.rule, rule)
        self._history.update_record(changed, RuleEventKind.EDITED, difference)

    def _delete_refusals(self, text: RuleText) -> None:
        """Delete the refusals of a text, and of similar ones: a person wants the rule after all."""
        refused = [refusal.text for refusal in self._history.list_refusals()]
        for number in Shortlist(refused).find_candidates(text):
            if is_same_rule(text, refused[number]):
                self._history.delete_refusal(refused[number])


def _warn_lost_scope(record: RuleRecord, done: ChangeResult) -> ChangeResult:
    """Add a warning if a rule lost its scope when it was written into the files."""
    if not record.rule.paths or done.record.rule.paths:
        return done
    lost = f"it applies to every file here, and was for {', '.join(record.rule.paths)}"
    return replace(done, warning=f"{lost}: set rules.target: rules-dir")
