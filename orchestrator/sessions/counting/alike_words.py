"""Group what people wrote in different sessions when it says the same."""

from collections.abc import Sequence

from orchestrator.rulebook.similarity import RuleRelation, Shortlist, compare_rules
from teacher.models import RuleText


def group_alike(texts: Sequence[str]) -> list[list[int]]:
    """Return the indexes of texts that say the same, as groups, each in order.

    Two texts are compared as two rules are, so that "use pnpm" and "don't use pnpm" are two.
    Groups are closed: of three texts, two that are alike only through the third are in one group.
    """
    rules = [RuleText(rule=text, when="", why="") for text in texts]
    shortlist = Shortlist(rules)
    leaders = list(range(len(texts)))

    def find_leader(index: int) -> int:
        while leaders[index] != index:
            index = leaders[index]
        return index

    for index, rule in enumerate(rules):
        for other in shortlist.find_candidates(rule):
            if other < index and _is_same(rules[other], rule):
                one, two = sorted((find_leader(index), find_leader(other)))
                leaders[two] = one
    groups: dict[int, list[int]] = {}
    for index in range(len(texts)):
        groups.setdefault(find_leader(index), []).append(index)
    return list(groups.values())


def _is_same(one: RuleText, other: RuleText) -> bool:
    """Return whether two texts say the same, whichever is compared with the other."""
    return one.rule == other.rule or (
        compare_rules(one, other) is RuleRelation.SAME
        and compare_rules(other, one) is RuleRelation.SAME
    )
