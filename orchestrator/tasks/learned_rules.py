"""Merge the rules that a run learned in its lane into those of the list's branch, rule by rule.

    base ---- learned      what the run made of the rule files
        `---- tip          what others made of them since

A three-way merge by the ids of rules, and the preflight against what the tip has: a rule that says
the same is counted, one that contradicts waits for a person. Nothing here reads or writes a file.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from enum import StrEnum

from orchestrator.models import Rule
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.document import find_free_id, find_imports
from orchestrator.rulebook.file_differences import list_changed_files
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    choose_evictions,
    find_conflict,
)
from orchestrator.rulebook.protected_rules import explain_protection
from orchestrator.rulebook.rule_file_set import RULES_DIR, Destination, RuleFileSet, Target
from orchestrator.rulebook.screening.screen import screen


class MergeKind(StrEnum):
    """What came of a rule that a run learned, changed or removed. The values are printed."""

    ADDED = "added"
    AMENDED = "amended"
    REINFORCED = "reinforced"
    REMOVED = "removed"
    HELD = "waits for a person"
    DROPPED = "not written"


@dataclass(frozen=True)
class MergedRule:
    """One rule of a run, and what came of it."""

    kind: MergeKind
    rule: Rule
    """As it is in the files now, or would be."""
    reason: str = ""
    learned_id: str = ""
    """Its id in the lane, if it has another one here."""
    target: str = ""
    """The rule that it amends, or would."""
    against: str = ""
    """The rule that it contradicts."""
    provenance: str = ""


@dataclass(frozen=True)
class RuleMerge:
    """The rule files of the tip with what a run learned."""

    file_set: RuleFileSet
    merged: tuple[MergedRule, ...] = ()
    changed: Mapping[str, bytes | None] = field(default_factory=dict)
    """The files that differ from the tip's, by their names; None for one that has gone."""


def merge_into_tip(
    tip: RuleFileSet,
    base: RuleFileSet,
    learned: RuleFileSet,
    context: PreflightContext,
    today: date,
) -> RuleMerge:
    """Merge what a run learned into the tip's rule files.

    What others did since the base counts: a rule that they removed stays out, of two amendments the
    first stays, and the other waits for a person.

    Args:
        tip: the rule files of the list's branch.
        base: those that the run started from.
        learned: those that it left.
        context: what the history knows about rules.
        today: the day that a changed rule is marked with.

    Raises:
        RulebookError: a file cannot be edited safely.
    """
    imports = find_imports(learned.files.get(CLAUDE_MD, b""))
    merger = _Merger(_import_files(tip, imports), base, learned, context, today)
    for rule in base.rules:
        if not learned.find_rule(rule.id):
            merger.remove_rule(rule)
    for rule in learned.rules:
        if before := base.find_rule(rule.id):
            merger.change_rule(before, rule)
        else:
            merger.add_rule(rule)
    after = merger.tip
    if AGENTS_MD in imports and after != tip and after.destination.mirror:
        after = after.point_to_agents_md()
    return RuleMerge(after, tuple(merger.merged), _list_changes(tip, after))


class _Merger:
    """The tip's files while they take up one rule after the other."""

    def __init__(
        self,
        tip: RuleFileSet,
        base: RuleFileSet,
        learned: RuleFileSet,
        context: PreflightContext,
        today: date,
    ) -> None:
        self.tip, self._base, self._learned = tip, base, learned
        self._context, self._today = context, today
        self.merged: list[MergedRule] = []

    def add_rule(self, rule: Rule) -> None:
        """Add a new rule, unless the tip says the same or the opposite."""
        note = MergedRule(MergeKind.ADDED, rule, provenance=self._learned.parse_provenance(rule.id))
        if self._object(note):
            return
        if self._is_taken(rule):
            taken = self.tip.ids | self._context.find_reserved_ids(rule.text)
            note = replace(
                note, rule=replace(rule, id=find_free_id(rule.text, taken)), learned_id=rule.id
            )
        for name in self._learned.find_files(rule.id):
            self._add_to_file(name, note)
        self._note(note)
        self._make_room(note.rule)

    def change_rule(self, before: Rule, rule: Rule) -> None:
        """Amend or reinforce a rule that the run found and changed."""
        mine = self.tip.find_rule(rule.id)
        if (rule.text, rule.paths) != (before.text, before.paths):
            self._amend(before, rule, mine)
        elif mine and self._learned.get_comment(rule.id) != self._base.get_comment(rule.id):
            self._reinforce(MergedRule(MergeKind.REINFORCED, mine), mine)

    def remove_rule(self, rule: Rule) -> None:
        """Remove a rule that made room in the lane, unless others have used it since."""
        mine = self.tip.find_rule(rule.id)
        if mine is None:
            return
        is_same = mine.text == rule.text
        is_unused = self.tip.get_comment(rule.id) == self._base.get_comment(rule.id)
        if is_same and is_unused and not explain_protection(rule):
            self.tip = self.tip.remove_rule(rule.id)
            self._note(MergedRule(MergeKind.REMOVED, mine))

    # ---- cases

    def _amend(self, before: Rule, rule: Rule, mine: Rule | None) -> None:
        note = MergedRule(
            MergeKind.AMENDED,
            rule,
            target=rule.id,
            provenance=self._learned.parse_provenance(rule.id),
        )
        if mine and (mine.text, mine.paths) == (rule.text, rule.paths):
            return
        if self._object(note):
            return
        if mine is None:
            self._hold(replace(note, target=""), f"{rule.id} was removed on the branch since")
        elif mine.text != before.text:
            self._hold(note, f"{rule.id} was amended on the branch since")
        elif protected := explain_protection(mine):
            self._hold(note, f"it would replace a rule: {protected}")
        else:
            changed = self.tip.amend_rule(rule.id, rule.text, self._today)
            self.tip = changed.rescope_rule(rule.id, rule.paths)
            self._note(note)
            self._make_room(rule)

    def _object(self, note: MergedRule) -> bool:
        """Do what has to be done about a rule that must not be written; return whether it is so."""
        same = None if note.target else self.tip.find_rule(note.rule.id)
        if same and same.text == note.rule.text:
            self._reinforce(note, same)
            return True
        others = [each for each in self.tip.all_rules if each.id != note.target]
        found = find_conflict(note.rule.text, others, self._context)
        if found is None:
            # A lesson was screened in the lane: this is about what an agent wrote by itself.
            screened = screen(note.rule.text, note.rule.paths).reason
            if screened:
                self._hold(note, screened)
            return bool(screened)
        if found.objection is Objection.DUPLICATE:
            self._reinforce(replace(note, reason=found.message), found.rule)
        elif found.objection is Objection.CONTRADICTION:
            self._hold(replace(note, against=found.rule.id), found.message)
        else:
            self._note(replace(note, kind=MergeKind.DROPPED, reason=found.message))
        return True

    def _reinforce(self, note: MergedRule, known: Rule) -> None:
        """Count that a rule of the tip was learned again; a hand-written one is a person's.

        Args:
            note: what the run learned.
            known: the rule that says the same.
        """
        learned_id = note.rule.id if note.rule.id != known.id else ""
        if not self.tip.find_rule(known.id):
            self._note(replace(note, kind=MergeKind.DROPPED, learned_id=learned_id))
            return
        self.tip = self.tip.reinforce_rule(known.id, self._today)
        self._note(replace(note, kind=MergeKind.REINFORCED, rule=known, learned_id=learned_id))

    def _hold(self, note: MergedRule, reason: str) -> None:
        rule = note.rule
        if self.tip.find_rule(rule.id) or note.target:  # a proposal is a rule of its own
            taken = self.tip.ids | self._context.find_reserved_ids(rule.text) | {rule.id}
            rule = replace(rule, id=find_free_id(rule.text, taken))
        learned_id = note.rule.id if rule.id != note.rule.id and not note.target else ""
        self._note(
            replace(note, kind=MergeKind.HELD, rule=rule, reason=reason, learned_id=learned_id)
        )

    # ---- files

    def _add_to_file(self, name: str, note: MergedRule) -> None:
        if not name.startswith(RULES_DIR):
            self.tip = self.tip.add_rule_to(name, note.rule, note.provenance)
            return
        # By its scope: here a file of this name may be for other files.
        own = self.tip.destination
        scoped = Destination(Target.RULES_DIR, reserved_names=own.reserved_names)
        if not self.tip.find_rule(note.rule.id):
            added = replace(self.tip, destination=scoped).add_rule(note.rule, note.provenance)
            self.tip = replace(added, destination=own)

    def _make_room(self, newest: Rule) -> None:
        """Remove the rules that exceed the budget: two lanes have each made room for one."""
        for old in choose_evictions(self.tip.rules, newest.id, self._context):
            self.tip = self.tip.remove_rule(old.id)
            self._note(MergedRule(MergeKind.REMOVED, old, f"to make room for {newest.id}"))

    def _is_taken(self, rule: Rule) -> bool:
        return rule.id in self.tip.ids

    def _note(self, note: MergedRule) -> None:
        self.merged.append(note)


def _import_files(tip: RuleFileSet, imports: Iterable[str]) -> RuleFileSet:
    """Return the tip's files with what the lane found that a first rule in CLAUDE.md imports."""
    agents = tuple(sorted(name for name in imports if name.rpartition("/")[2] == AGENTS_MD))
    return replace(tip, destination=replace(tip.destination, imports=agents))


def _list_changes(before: RuleFileSet, after: RuleFileSet) -> dict[str, bytes | None]:
    return {
        name: after.files[name] if after.files[name] or not name.startswith(RULES_DIR) else None
        for name in list_changed_files(before, after)
    }
