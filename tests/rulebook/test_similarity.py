"""The labelled pairs, and what of them is found."""

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given

from orchestrator.rulebook.similarity import RuleRelation, compare_rules
from teacher.models import RuleText
from tests.rulebook.making import rule_texts

Pairs = dict[str, list[list[str]]]


def labelled(name: str) -> Pairs:
    pairs: Pairs = yaml.safe_load((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return pairs


PAIRS = labelled("pairs.yaml")


def text(line: str) -> RuleText:
    rule, _, when = line.partition(" | ")
    return RuleText(rule, when, "")


def measured(pairs: Pairs, name: str, capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    found = {
        label: [compare_rules(text(one), text(other)) for one, other in pairs[label]]
        for label in pairs
    }

    def part(label: str, kind: RuleRelation) -> float:
        return round(found[label].count(kind) / len(found[label]), 3)

    figures = {
        "pairs": sum(map(len, found.values())),
        "duplicates found": part("same", RuleRelation.SAME),
        "opposites not taken for duplicates": round(1 - part("opposite", RuleRelation.SAME), 3),
        "opposites found": part("opposite", RuleRelation.OPPOSITE),
        "unrelated left alone": part("unrelated", RuleRelation.UNRELATED),
    }
    with capsys.disabled():
        print(f"\n  {name}: {figures}")  # noqa: T201 -- the figures are to be seen
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        (Path(folder) / f"{name}.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    return figures


def test_the_labelled_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    figures = measured(PAIRS, "rules", capsys)
    assert figures["pairs"] >= 120
    assert figures["duplicates found"] >= 0.90
    assert figures["opposites not taken for duplicates"] >= 0.95
    # No promise, but a contradiction that is not seen ends up in the file.
    assert figures["opposites found"] >= 0.80
    assert figures["unrelated left alone"] >= 0.95


def test_pairs_that_it_was_not_made_for(capsys: pytest.CaptureFixture[str]) -> None:
    figures = measured(labelled("pairs_held_out.yaml"), "rules_held_out", capsys)
    assert figures["pairs"] >= 60
    # Then a lesson would be lost without a word. The rest is printed, not promised.
    assert figures["opposites not taken for duplicates"] >= 0.95


def test_no_held_out_pair_is_among_the_others() -> None:
    def lines(pairs: Pairs) -> set[frozenset[str]]:
        return {frozenset(pair) for label in pairs for pair in pairs[label]}

    assert not lines(PAIRS) & lines(labelled("pairs_held_out.yaml"))


@pytest.mark.parametrize(
    ("one", "other", "kind"),
    [
        ("Never skip the header", "Always read the header", RuleRelation.UNRELATED),
        ("Never skip rows of the header", "Never omit rows of the header", RuleRelation.SAME),
        ("Wait for 5s", "Wait for five seconds", RuleRelation.SAME),
        ("Set the timeout to 5sec", "Set the timeout to five seconds", RuleRelation.SAME),
        ("Set the timeout to 5 sec", "Set the timeout to five minutes", RuleRelation.OPPOSITE),
        ("Round prices to two decimals", "Round weights to three decimals", RuleRelation.UNRELATED),
        ("Make the client synchronous", "Make the client asynchronous", RuleRelation.OPPOSITE),
        ("Use eval on user input", "Only use eval on user input", RuleRelation.UNRELATED),
    ],
)
def test_signs_numbers_and_units(one: str, other: str, kind: RuleRelation) -> None:
    assert compare_rules(text(one), text(other)) is kind


@given(rule_texts, rule_texts)
def test_it_makes_no_difference_which_comes_first(one: RuleText, other: RuleText) -> None:
    assert (compare_rules(one, other) is RuleRelation.OPPOSITE) == (
        compare_rules(other, one) is RuleRelation.OPPOSITE
    )


@pytest.mark.parametrize("line", [pair[0] for pair in PAIRS["same"]])
def test_a_rule_is_the_same_as_itself(line: str) -> None:
    assert compare_rules(text(line), text(line.upper())) is RuleRelation.SAME
