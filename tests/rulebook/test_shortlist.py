"""The short way to what a new rule is kin to finds what the long way finds, in far fewer steps."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.models import Rule
from orchestrator.rulebook import preflight as preflights
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    RuleConflict,
    find_conflict,
    is_same_rule,
)
from orchestrator.rulebook.similarity import RuleRelation, Shortlist, compare_rules
from teacher.models import RuleText
from tests.rulebook.making import rule_texts
from tests.rulebook.test_similarity import labelled, text

_WORDS = (
    *("never", "always", "return", "raise", "zero", "0", "30", "60", "seconds", "missing"),
    *(
        "result",
        "results",
        "reslut",
        "exception",
        "exceptions",
        "exeption",
        "time-zone",
        "timezone",
    ),
    *("synchronous", "asynchronous", "before", "after", "tabs", "spaces", "prefer", "over", "only"),
    *("==", "don't", "do  not", "without", "skip", ";", ".", "validate", "check", "path", "the"),
    *("configuration", "configurations", "configuraton", "misconfiguration", "un-ordered"),
)
_sentences = st.lists(st.sampled_from(_WORDS), max_size=9).map(" ".join)
_texts = st.one_of(st.builds(RuleText, _sentences, _sentences, st.just("")), rule_texts)
_books = st.lists(_texts, max_size=8)

PAIRS = [
    pair
    for name in ("pairs.yaml", "pairs_held_out.yaml")
    for pairs in labelled(name).values()
    for pair in pairs
]


def the_long_way(
    new: RuleText, in_force: Sequence[Rule], context: PreflightContext
) -> RuleConflict | None:
    for objection, rules in (
        (Objection.DUPLICATE, in_force),
        (Objection.REFUSED, context.refused_rules),
        (Objection.WAITING, context.pending_rules),
    ):
        for rule in rules:
            if is_same_rule(new, rule.text):
                return RuleConflict(objection, rule)
    for rule in in_force:
        if compare_rules(new, rule.text) is RuleRelation.OPPOSITE:
            return RuleConflict(Objection.CONTRADICTION, rule)
    return None


def rules(texts: Sequence[RuleText]) -> list[Rule]:
    return [Rule(f"r-{number:06x}", each, "") for number, each in enumerate(texts)]


@given(_texts, _books)
def test_all_kin_are_on_the_shortlist(new: RuleText, book: list[RuleText]) -> None:
    kin = {
        n for n, other in enumerate(book) if compare_rules(new, other) is not RuleRelation.UNRELATED
    }
    assert kin <= set(Shortlist(book).find_candidates(new))


@given(_texts, _books, _books, _books)
def test_the_short_way_finds_the_same(
    new: RuleText, in_force: list[RuleText], refused: list[RuleText], waiting: list[RuleText]
) -> None:
    context = PreflightContext(refused_rules=rules(refused), pending_rules=rules(waiting))
    long = the_long_way(new, rules(in_force), context)
    assert find_conflict(new, rules(in_force), context) == long


def test_the_labelled_pairs_are_found_the_short_way() -> None:
    assert len(PAIRS) > 180
    book = [text(line) for pair in PAIRS for line in pair]
    shortlist = Shortlist(book)
    found = 0
    some = book[::9]  # the long way takes long
    for new in some:
        kin = {
            n
            for n, other in enumerate(book)
            if compare_rules(new, other) is not RuleRelation.UNRELATED
        }
        assert kin <= set(shortlist.find_candidates(new))
        found += len(kin)
    assert found > 1.3 * len(some)  # each is kin to itself, and many to their pair


@pytest.mark.parametrize("known", [20, 229])
def test_few_rules_are_compared_with_a_new_one(known: int, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[RuleText] = []

    def counted(one: RuleText, other: RuleText) -> RuleRelation:
        compared.append(other)
        return compare_rules(one, other)

    monkeypatch.setattr(preflights, "compare_rules", counted)
    lines = list(dict.fromkeys(text(line) for pair in PAIRS for line in pair))
    book, new = rules(lines[:known]), [*lines[-50:], lines[1]]
    assert len(book) == known
    for each in new:
        find_conflict(each, book, PreflightContext())
    assert 0 < len(compared) <= 2 * len(new)
