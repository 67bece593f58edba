"""Which requests the workflow answers from its memory, which wait, and which ask Claude."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.teacher.workflow_scripts import WorkflowScripts

AT = 1_800_000_000_000
DAY = 24 * 3600 * 1000
ANSWER = json.dumps({"action": "none", "workflow_version": 1})


def row(number: int, age: int, answer: str = "") -> dict[str, Any]:
    return {"id": number, "at": AT - age, "answer": answer}


@pytest.mark.parametrize(
    ("rows", "asks"),
    [
        ([], True),
        ([row(7, 0)], True),
        ([row(6, 1000), row(7, 0)], False),
        ([row(6, 89_999), row(7, 0)], False),
        ([row(6, 90_000), row(7, 0)], True),
        ([row(6, DAY - 1, ANSWER), row(7, 0)], False),
        ([row(6, DAY, ANSWER), row(7, 0)], True),
        ([row(6, 1000, "not JSON"), row(7, 0)], True),
        ([row(6, 1000, '{"error": "x"}'), row(7, 0)], True),
    ],
    ids=["empty", "own", "in progress", "still", "lost", "stored", "old", "damaged", "no lesson"],
)
def test_the_memory_decides_who_asks(
    scripts: WorkflowScripts, rows: list[dict[str, Any]], asks: bool
) -> None:
    assert scripts.decide(rows, AT, 7)["ask"] is asks


def test_a_stored_answer_says_so_and_keeps_its_age(scripts: WorkflowScripts) -> None:
    decided = scripts.decide([row(6, 1000, ANSWER), row(7, 0)], AT, 7)
    assert decided["reply"] == {"action": "none", "remembered": True, "workflow_version": 2}
    assert (decided["status"], decided["at"], decided["drop"]) == (200, AT - 1000, 6)


def test_a_fresh_request_asks_and_replaces_the_answer(scripts: WorkflowScripts) -> None:
    decided = scripts.decide([row(6, 1000, ANSWER), row(7, 0)], AT, 7, fresh=True)
    assert decided == {"ask": True, "at": AT, "drop": 6}


def test_one_that_could_not_be_registered_drops_nothing(scripts: WorkflowScripts) -> None:
    decided = scripts.decide([row(6, 1000, ANSWER)], AT, None, fresh=True)
    assert decided == {"ask": True, "at": AT, "drop": 0}


def test_the_second_of_two_waits(scripts: WorkflowScripts) -> None:
    decided = scripts.decide([row(6, 1000), row(7, 0)], AT, 7)
    assert (decided["status"], decided["retry_after"]) == (503, 5)
    assert decided["reply"]["kind"] == "try_again"
    assert scripts.decide([row(6, 1000), row(7, 0)], AT, 6)["ask"] is True
