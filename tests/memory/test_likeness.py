"""The labelled pairs, and what of them is found."""

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given

from orchestrator.memory.likeness import Kinship, compare
from teacher.models import RuleText
from tests.memory.making import rule_texts

PAIRS = yaml.safe_load((Path(__file__).parent / "pairs.yaml").read_text(encoding="utf-8"))


def text(line: str) -> RuleText:
    rule, _, when = line.partition(" | ")
    return RuleText(rule, when, "")


def found(label: str) -> list[Kinship]:
    return [compare(text(one), text(other)) for one, other in PAIRS[label]]


def test_the_labelled_pairs(capsys: pytest.CaptureFixture[str]) -> None:
    same, opposite, unrelated = found("same"), found("opposite"), found("unrelated")
    figures = {
        "pairs": len(same) + len(opposite) + len(unrelated),
        "duplicates found": round(same.count(Kinship.SAME) / len(same), 3),
        "opposites not taken for duplicates": round(
            1 - opposite.count(Kinship.SAME) / len(opposite), 3
        ),
        "opposites found": round(opposite.count(Kinship.OPPOSITE) / len(opposite), 3),
        "unrelated left alone": round(unrelated.count(Kinship.UNRELATED) / len(unrelated), 3),
    }
    with capsys.disabled():
        print(f"\n  {figures}")  # noqa: T201 -- the figures are to be seen
    if folder := os.environ.get("ORCHESTRATOR_FIGURES"):
        (Path(folder) / "rules.json").write_text(json.dumps(figures, indent=2), encoding="utf-8")
    assert figures["pairs"] >= 120
    assert figures["duplicates found"] >= 0.90
    assert figures["opposites not taken for duplicates"] >= 0.95
    # No promise, but a contradiction that is not seen ends up in the file.
    assert figures["opposites found"] >= 0.80
    assert figures["unrelated left alone"] >= 0.95


@given(rule_texts, rule_texts)
def test_it_makes_no_difference_which_comes_first(one: RuleText, other: RuleText) -> None:
    assert (compare(one, other) is Kinship.OPPOSITE) == (compare(other, one) is Kinship.OPPOSITE)


@pytest.mark.parametrize("line", [pair[0] for pair in PAIRS["same"]])
def test_a_rule_is_the_same_as_itself(line: str) -> None:
    assert compare(text(line), text(line.upper())) is Kinship.SAME
