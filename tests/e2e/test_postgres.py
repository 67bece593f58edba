"""A run whose record and whose journal are in a Postgres."""

import pytest

from orchestrator.models import RunOutcome
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import resolve_state_directory
from tests.e2e.conftest import LESSON, RIGHT_WITH_RULE, WRONG, World
from tests.postgres import make_database


@pytest.mark.whole
def test_a_run_pauses_goes_on_and_learns(
    world: World, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", make_database(postgres))
    paused = world.run(WRONG, LESSON, learning__auto_retry=False)
    assert paused.outcome is RunOutcome.PAUSED
    done = world.resume(RIGHT_WITH_RULE)
    assert done.outcome is RunOutcome.SOLVED
    assert [attempt.is_solved for attempt in done.attempts] == [False, True]
    assert [path.name for path in resolve_state_directory().glob("*.db")] == []
    assert not (resolve_state_directory() / "dbos.sqlite").exists()
    with Store() as store:
        rows = store.database.fetch_rows("SELECT number, solved FROM attempts ORDER BY number")
        assert rows == [(1, 0), (2, 1)]
        assert store.database.fetch_rows("SELECT count(*) FROM rules") == [(1,)]
        kinds = [row.kind for row in store.events.list_events(store.find_run("last").id)]
        assert kinds.count("attempt_finished") == 2
