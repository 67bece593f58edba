"""A cap stops a run with exit 3, says which and when it frees; `resume` goes on afterwards."""

import sqlite3
from contextlib import closing

import pytest

from orchestrator.models import RunOutcome
from orchestrator.replay.scenario import Speaker
from orchestrator.services.runs import exit_code
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, WRONG, World

pytestmark = pytest.mark.whole


def test_at_a_cap_the_run_stops_and_later_goes_on(world: World) -> None:
    result = world.run(WRONG, LESSON, limits__max_agent_starts_per_hour=1)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert len(result.attempts) == 1
    assert "1 agent was started within an hour" in result.message
    assert "free again" in result.message
    assert "limits.max_agent_starts_per_hour" in result.message
    with closing(sqlite3.connect(resolve_state_directory() / "state.db")) as ledger, ledger:
        rows = ledger.execute("SELECT attempt, kind, closed, cost_usd > 0 FROM spending").fetchall()
        assert rows == [(1, "agent", 1, 1), (1, "lesson", 1, 1)]
        ledger.execute("UPDATE spending SET started = started - 3601")
        # As if an attempt had been killed, whose bill only the ledger estimates.
        ledger.execute("UPDATE spending SET cost_usd = cost_usd + 10 WHERE kind = 'agent'")
    stopped = world.resume(RIGHT_WITH_RULE)
    assert (stopped.outcome, len(stopped.attempts)) == (RunOutcome.STOPPED, 1)
    assert "the run's cost limit is used up" in stopped.message
    assert "resume --max-cost-usd" in stopped.message
    with closing(sqlite3.connect(resolve_state_directory() / "state.db")) as ledger, ledger:
        ledger.execute("UPDATE spending SET cost_usd = cost_usd - 10 WHERE kind = 'agent'")
    assert world.resume(RIGHT_WITH_RULE).outcome is RunOutcome.SOLVED


def test_a_failed_attempt_whose_lesson_cannot_be_paid_stands_in_the_record(world: World) -> None:
    result = world.run(WRONG, LESSON, limits__max_tokens=1)
    assert (result.outcome, exit_code(result)) == (RunOutcome.STOPPED, 3)
    assert [attempt.is_solved for attempt in result.attempts] == [False]
    assert "the teacher gave no lesson: the run's token limit" in result.message
    assert not world.list_requests(Speaker.TEACHER)


def test_a_stuck_run_ends_early_and_says_what_did_not_change(world: World) -> None:
    always = WRONG.replace("lacks: Never answer before asking", "lacks: nothing at all")
    result = world.run(always, LESSON, learning__max_retries=9, limits__stuck_after=2)
    assert (result.outcome, exit_code(result)) == (RunOutcome.NOT_SOLVED, 1)
    assert len(result.attempts) == 2
    assert "stuck: 2 attempts in a row failed in the same way" in result.message
    assert "test_answer" in result.message
