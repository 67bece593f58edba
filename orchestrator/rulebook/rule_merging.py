"""Merge the rules that a run learned in its own copy of a file into the user's file."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date

from orchestrator.models import Rule
from orchestrator.rulebook.rule_file_set import RuleFileSet


def merge_learned_rules(
    own: RuleFileSet, before: RuleFileSet, learned: RuleFileSet, names: Iterable[str], today: date
) -> RuleFileSet:
    """Return the user's files with what a run changed in its copies of some of them.

    A three-way merge, rule by rule. What the user changed since counts: a rule that they edited
    stays as they wrote it, one that they removed stays out, and all other text is theirs.

    Args:
        own: the user's files as they are.
        before: the copies as they were when they were last merged.
        learned: the copies as they are.
        names: the files to merge.
        today: the day that a changed rule is marked with.

    Raises:
        RulebookError: a file cannot be edited safely.
    """
    for name in names:
        old, new = _index_by_id(before, name), _index_by_id(learned, name)
        for rule in dict.fromkeys([*old, *new]):
            own = _merge_rule(own, name, learned, old.get(rule), new.get(rule), today)
    return own


def _merge_rule(
    own: RuleFileSet,
    name: str,
    learned: RuleFileSet,
    old: Rule | None,
    new: Rule | None,
    today: date,
) -> RuleFileSet:
    if old is None:
        if new is None or own.find_rule(new.id):
            return own
        paths = learned.find_rule(new.id)
        scoped = replace(new, paths=paths.paths) if paths else new
        return own.add_rule_to(name, scoped, learned.parse_provenance(new.id))
    mine = _index_by_id(own, name).get(old.id)
    if mine is None or mine.text != old.text:
        return own
    if new is None:
        return own.remove_rule_from(name, old.id)
    return own if new.text == old.text else own.amend_rule_in(name, old.id, new.text, today)


def _index_by_id(file_set: RuleFileSet, name: str) -> dict[str, Rule]:
    return {rule.id: rule for rule in file_set.list_rules_in(name)}
