"""Keep the same rules in CLAUDE.md and AGENTS.md, whichever of them people edit."""

from collections.abc import Mapping
from datetime import date

from orchestrator.models import Rule
from orchestrator.platform.folders import AGENTS_MD, CLAUDE_MD
from orchestrator.rulebook.rule_file_set import RuleFileSet
from teacher.models import RuleText


def merge_mirrors(
    file_set: RuleFileSet, agreed: Mapping[str, RuleText], today: date
) -> RuleFileSet:
    """Return the files with the changes of each made in the other as well.

    A three-way merge, rule by rule: `agreed` is what both contained when they last were equal. A
    rule that only one file has is new there, or else was deleted from the other; of two texts the
    one that was edited counts, and if both were, that of CLAUDE.md. Where a file has lost its
    whole section, it gets it back; and nothing counts as deleted where neither file has all the
    rules that both had then, as on another branch.

    Args:
        file_set: the files, of a rulebook that is mirrored.
        agreed: the rules that both had then, by id.
        today: the day that a changed rule is marked with.

    Raises:
        RulebookError: a file cannot be edited safely.
    """
    homes = file_set.mirrors
    claude, agents = (_index_by_id(file_set, name) for name in (CLAUDE_MD, AGENTS_MD))
    # Where one file imports the other, each rule is rightly in one of them only; and a whole
    # section that is gone is another branch, or a new file: no decision of a person.
    one_has_all = any(agreed.keys() <= side.keys() for side in (claude, agents))
    deletes = len(homes) > 1 and one_has_all and all(map(file_set.has_section, homes))
    for rule in dict.fromkeys([*claude, *agents]):
        wanted = _merge_rule(claude.get(rule), agents.get(rule), agreed.get(rule))
        if wanted is None and not deletes:
            wanted = claude.get(rule) or agents.get(rule)
        provenance = file_set.parse_provenance(rule)
        for name, has in ((CLAUDE_MD, claude), (AGENTS_MD, agents)):
            known = has.get(rule)
            if known and (wanted is None or name not in homes):
                file_set = file_set.remove_rule_from(name, rule)
            elif wanted and name in homes and not known:
                file_set = file_set.add_rule_to(name, wanted, provenance)
            elif wanted and known and known.text != wanted.text:
                file_set = file_set.amend_rule_in(name, rule, wanted.text, today)
    return file_set.point_to_agents_md() if file_set.list_rules_in(AGENTS_MD) else file_set


def find_shared_ids(file_set: RuleFileSet) -> frozenset[str]:
    """Return the ids of the rules that both files have; none where one file imports the other."""
    if len(file_set.mirrors) == 1:
        return frozenset()
    return frozenset(_index_by_id(file_set, CLAUDE_MD)) & frozenset(
        _index_by_id(file_set, AGENTS_MD)
    )


def _merge_rule(claude: Rule | None, agents: Rule | None, agreed: RuleText | None) -> Rule | None:
    if claude and agents:
        return agents if claude.text == agreed else claude
    return (claude or agents) if agreed is None else None


def _index_by_id(file_set: RuleFileSet, name: str) -> Mapping[str, Rule]:
    return {rule.id: rule for rule in file_set.list_rules_in(name)}
