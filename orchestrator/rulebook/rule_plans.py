"""What a person's request changes in the rule files, decided before anything is written.

A plan is made from the files as they are under their locks: two people, or a person and a run,
never activate both of two contradicting rules. It is made again when somebody else writes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from orchestrator.counts import format_count
from orchestrator.errors import UsageError
from orchestrator.models import Rule
from orchestrator.rulebook.document import find_free_id
from orchestrator.rulebook.lesson_decision import format_provenance
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    RuleConflict,
    choose_evictions,
    count_tokens,
    find_conflict,
    is_too_long,
)
from orchestrator.rulebook.records import Origin, RuleRecord
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.text import overlay_text
from teacher.models import RuleText

BY_HAND = Origin(source="by hand")


@dataclass(frozen=True)
class PlannedEdit:
    """The files after a change for one rule."""

    file_set: RuleFileSet
    rule: Rule
    """The rule after the change."""
    replaced_rules: tuple[Rule, ...] = ()
    """Rules that it contradicts, and replaces."""
    leaving: tuple[Rule, ...] = ()
    """Rules that make room for it."""
    amends: bool = False
    """Whether the rule was active before."""


class RulePlanner:
    """Plans changes of the rule files. Each method raises UsageError if one is not possible."""

    def __init__(self, book: MarkdownRulebook) -> None:
        self._book = book

    def plan_new_rule(
        self, file_set: RuleFileSet, text: RuleText, scope: tuple[str, ...]
    ) -> PlannedEdit:
        """Plan to add a person's own rule, which must not repeat or contradict an active one."""
        _require_no_conflict(text, file_set.rules)
        _require_no_hand_written_conflict(text, file_set)
        taken = self._read_context().find_reserved_ids(text) | file_set.ids
        source = f"Added on {self._book.today()} by hand"
        rule = Rule(find_free_id(text, taken), text, source, scope)
        return self._plan_addition(file_set, rule, BY_HAND)

    def plan_restoration(self, file_set: RuleFileSet, record: RuleRecord) -> PlannedEdit:
        """Plan to write a rule that has left the files."""
        _require_no_conflict(record.rule.text, file_set.rules)
        _require_no_hand_written_conflict(record.rule.text, file_set)
        return self._plan_addition(file_set, record.rule, record.origin)

    def plan_adoption(self, file_set: RuleFileSet, rule_id: str) -> PlannedEdit:
        """Plan to make a hand-written rule an active one; its text stays as it is."""
        rule = file_set.find_hand_written(rule_id)
        if rule is None:
            raise UsageError(f"{rule_id} has left the files", "see `orchestrator rules list`")
        _require_no_conflict(rule.text, file_set.rules)
        self._check_length(rule)
        return self._fit_budget(file_set.adopt_rule(rule_id), rule)

    def plan_edit(
        self, file_set: RuleFileSet, rule_id: str, text: RuleText, scope: tuple[str, ...] | None
    ) -> PlannedEdit:
        """Plan another text for an active rule, and another scope unless that is None."""
        known = file_set.find_rule(rule_id)
        if known is None:
            raise UsageError(f"{rule_id} has left the files", "see `orchestrator rules list`")
        new = overlay_text(text, known.text)
        if (new.rule, new.when) != (known.text.rule, known.text.when):
            _require_no_conflict(new, _exclude_rule(file_set, rule_id))
        return self._plan_amendment(file_set, known, text, scope)

    def plan_approval(self, file_set: RuleFileSet, record: RuleRecord) -> PlannedEdit:
        """Plan what a pending rule would have done; the rules that it contradicts leave."""
        rule, target = record.rule, file_set.find_rule(record.proposal.target)
        _require_no_hand_written_conflict(rule.text, file_set)
        others = _exclude_rule(file_set, target.id if target else rule.id)
        # Compare again: people may have changed rules since this one was held back.
        found = {each.rule.id for each in _iter_conflicts(rule.text, others)}
        replaced = tuple(other for other in others if other.id in found)
        for old in replaced:
            file_set = file_set.remove_rule(old.id)
        if target:
            edit = self._plan_amendment(file_set, target, rule.text, rule.paths)
        else:
            edit = self._plan_addition(file_set, rule, record.origin)
        return replace(edit, replaced_rules=replaced)

    def _plan_amendment(
        self, file_set: RuleFileSet, rule: Rule, text: RuleText, scope: tuple[str, ...] | None
    ) -> PlannedEdit:
        self._check_length(replace(rule, text=overlay_text(text, rule.text)))
        if text != RuleText("", "", ""):
            file_set = file_set.amend_rule(rule.id, text, self._book.today())
        if scope is not None:
            file_set = file_set.rescope_rule(rule.id, scope)
        return replace(self._fit_budget(file_set, rule), amends=True)

    def _plan_addition(self, file_set: RuleFileSet, rule: Rule, origin: Origin) -> PlannedEdit:
        if file_set.find_rule(rule.id):
            raise UsageError(f"{rule.id} is in the files already")
        self._check_length(rule)
        return self._fit_budget(file_set.add_rule(rule, format_provenance(origin)), rule)

    def _fit_budget(self, file_set: RuleFileSet, rule: Rule) -> PlannedEdit:
        """Return the files that contain a rule without those that make room for it."""
        leaving = choose_evictions(file_set.rules, rule.id, self._read_context())
        for old in leaving:
            file_set = file_set.remove_rule(old.id)
        return PlannedEdit(file_set, file_set.find_rule(rule.id) or rule, leaving=leaving)

    def _check_length(self, rule: Rule) -> None:
        context = self._read_context()
        if is_too_long(rule, context):
            raise UsageError(
                f"the rule takes {format_count(count_tokens(rule), 'token')}, and "
                f"rules.max_tokens is {context.max_tokens}",
                "say it in fewer words",
            )

    def _read_context(self) -> PreflightContext:
        return self._book.read_context() or PreflightContext()


def _exclude_rule(file_set: RuleFileSet, rule: str) -> tuple[Rule, ...]:
    return tuple(other for other in file_set.rules if other.id != rule)


def _iter_conflicts(text: RuleText, rules: Sequence[Rule]) -> Iterator[RuleConflict]:
    """Yield every conflict of a new rule with active ones."""
    while found := find_conflict(text, rules, PreflightContext()):
        yield found
        rules = [rule for rule in rules if rule.id != found.rule.id]


def _require_no_hand_written_conflict(text: RuleText, file_set: RuleFileSet) -> None:
    """Reject a rule that conflicts with one that is a person's alone to change."""
    if found := find_conflict(text, file_set.hand_written, PreflightContext()):
        rule = found.rule.id
        raise UsageError(
            f"{found.message}; {rule} was written by hand",
            f"change it in {', '.join(file_set.list_files_with_hand_written(rule))},"
            f" or use it: orchestrator rules adopt {rule}",
        )


def _require_no_conflict(text: RuleText, rules: Sequence[Rule]) -> None:
    found = find_conflict(text, rules, PreflightContext())
    if not found:
        return
    contradicts = found.objection is Objection.CONTRADICTION
    hint = f"orchestrator rules edit {found.rule.id}, or retire it first"
    raise UsageError(found.message, hint if contradicts else "")
