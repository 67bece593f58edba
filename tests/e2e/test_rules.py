"""A whole run on the real programs leaves the history of its rule."""

import pytest

from orchestrator.rulebook.records import Counters, Status
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, WRONG, World
from tests.open_history import OpenHistory


@pytest.mark.whole
def test_a_rule_that_helped_and_one_that_was_not_kept(world: World) -> None:
    world.run(WRONG, RIGHT_WITH_RULE, LESSON)
    with OpenHistory(resolve_state_directory(), (world.project / "CLAUDE.md").resolve()) as history:
        (record,) = history.list_records()
        assert record.status is Status.ACTIVE
        assert record.counters == Counters(runs=1, first_passes=0, recurrences=0)
        assert record.origin.files
        assert record.origin.failure
        assert record.origin.run
        assert [event.what for event in history.list_events(record.rule.id)] == [
            "added",
            "prevented",
        ]


@pytest.mark.whole
def test_a_rule_whose_failure_comes_back(world: World) -> None:
    result = world.run(
        WRONG, WRONG.replace("lacks", "contains").replace("return 41", "return 41 or 41"), LESSON
    )
    assert len(result.attempts) == 2
    with OpenHistory(resolve_state_directory(), (world.project / "CLAUDE.md").resolve()) as history:
        (record,) = history.list_records()
        assert record.counters.recurrences == 1
        assert "its failure came back" in [
            event.what for event in history.list_events(record.rule.id)
        ]
