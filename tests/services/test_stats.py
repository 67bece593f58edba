"""The numbers of `stats`, from each of the databases that they can be in."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orchestrator.models import Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import Origin, RuleEventKind, Status
from orchestrator.services.stats import gather_rule_stats, gather_stats
from orchestrator.sessions.counting.metrics import TaskSource, Week
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from teacher.models import RuleText
from tests.sessions.stored_tasks import (
    GREEN,
    OPEN,
    RED_RED_GREEN,
    REJECTED,
    insert,
    store_run,
    store_session,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
SHOP = Path("/home/anna/shop")


@pytest.fixture
def database(
    each_database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Database]:
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    with open_database(tmp_path / "state") as database:
        yield database


def test_each_project_and_week_by_its_source(database: Database) -> None:
    store_session(database, str(SHOP), NOW, GREEN, {**RED_RED_GREEN, **REJECTED})
    store_session(database, str(SHOP), NOW - timedelta(weeks=1), OPEN)
    store_session(database, str(SHOP), NOW, GREEN, kind="own")
    store_session(database, "/other", NOW, GREEN)
    run = store_run(database, str(SHOP), NOW, False, True, cost=2.0)
    insert(
        database,
        "exposures",
        book=str(SHOP / "CLAUDE.md"),
        run=run,
        attempt=1,
        rule="r1",
        witness="file",
        recurred=1,
    )
    rule = Rule("r1", RuleText("Sort.", "", ""), "test")
    history = History(database, SHOP / "CLAUDE.md", lambda: NOW - timedelta(days=3))
    history.record_rule(rule, Status.ACTIVE, Origin(), what=RuleEventKind.ADDED)

    stats = gather_stats(SHOP, 8, NOW, UTC)
    found = {(each.source, each.week.number): each for each in stats.weeks}
    assert sorted(found) == [
        (TaskSource.RUNS, 48),
        (TaskSource.PEOPLE, 47),
        (TaskSource.PEOPLE, 48),
    ]
    people = found[TaskSource.PEOPLE, 48].numbers
    assert (people.tasks, people.red_median, people.interventions) == (2, 2, 2)
    runs = found[TaskSource.RUNS, 48]
    assert (runs.numbers.cost_per_solved, runs.numbers.red_median) == (2.0, 1)
    assert (runs.rules_active, runs.recurrences) == (1, 1)
    assert found[TaskSource.PEOPLE, 47].rules_active == 1  # it was learned on a Sunday
    assert {each.project for each in gather_stats(None, 8, NOW, UTC).weeks} == {
        str(SHOP),
        "/other",
    }

    split = gather_rule_stats(SHOP, "r", 8)
    assert [source for source, _ in split.by_source] == [TaskSource.PEOPLE, TaskSource.RUNS]
    assert [(each.before.tasks, each.after.tasks) for _, each in split.by_source] == [
        (1, 2),
        (0, 1),
    ]


def test_the_first_week_shown_is_compared_with_the_one_before_it(database: Database) -> None:
    for weeks, version in ((2, "2.1.1"), (1, "2.1.2"), (0, "2.1.2")):
        store_session(database, str(SHOP), NOW - timedelta(weeks=weeks), {"version": version})
    first, second = gather_stats(SHOP, 2, NOW, UTC).weeks
    assert (first.week, first.other_versions) == (Week(2026, 47), ("2.1.2",))
    assert (second.week, second.other_versions) == (Week(2026, 48), ())


def test_a_week_begins_at_midnight_where_the_user_is(database: Database) -> None:
    sunday_in_london = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    store_session(database, str(SHOP), sunday_in_london, GREEN)
    for name, week in (("Europe/Berlin", 48), ("Europe/London", 47)):
        [found] = gather_stats(SHOP, 8, NOW, ZoneInfo(name)).weeks
        assert found.week == Week(2026, week)


def test_a_folder_of_a_work_tree_has_the_sessions_that_began_in_it(database: Database) -> None:
    for folder in ("", "/web", "/web/pages", "/website"):
        name = store_session(database, str(SHOP), NOW, GREEN, name=f"s{folder}")
        database.write("UPDATE sessions SET folder = ? WHERE id = ?", (f"{SHOP}{folder}", name))
    [web] = gather_stats(SHOP / "web", 8, NOW, UTC).weeks
    assert (web.project, web.numbers.sessions) == (str(SHOP / "web"), 2)
    [whole] = gather_stats(SHOP, 8, NOW, UTC).weeks
    assert (whole.project, whole.numbers.sessions) == (str(SHOP), 4)
