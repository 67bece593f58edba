"""When rules were active, from the history that the rulebook itself records."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestrator.models import Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import Origin, RuleEventKind, Status
from orchestrator.services.rule_periods import list_books, list_periods, list_recurrences
from orchestrator.sessions.counting.measured_tasks import Recurrence, RulePeriod
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from teacher.models import RuleText
from tests.sessions.stored_tasks import insert, store_run

DAY = datetime(2026, 3, 2, tzinfo=UTC)


class Clock:
    """A time that the test sets."""

    def __init__(self) -> None:
        self.now = DAY

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "state") as database:
        yield database


def add_rule(history: History, name: str, status: Status, what: RuleEventKind) -> None:
    rule = Rule(name, RuleText(f"Sort {name}.", "", ""), "test")
    history.record_rule(rule, status, Origin(), what=what)


def test_a_rule_that_comes_and_goes(database: Database, project: Path) -> None:
    clock = Clock()
    history = History(database, Path(list_books(str(project))[0]), clock)
    add_rule(history, "a1", Status.ACTIVE, RuleEventKind.ADDED)
    clock.now += timedelta(days=3)
    history.change_status("a1", Status.ARCHIVED, RuleEventKind.ARCHIVED, "idle")
    clock.now += timedelta(days=4)
    history.change_status("a1", Status.ACTIVE, RuleEventKind.RESTORED, "")
    assert list_periods(database, str(project)) == [
        RulePeriod(str(project), DAY, DAY + timedelta(days=3)),
        RulePeriod(str(project), DAY + timedelta(days=7)),
    ]


def test_a_rule_counts_from_its_approval(database: Database, project: Path) -> None:
    clock = Clock()
    history = History(database, Path(list_books(str(project))[0]), clock)
    add_rule(history, "w1", Status.WAITING, RuleEventKind.WAITS_FOR_APPROVAL)
    add_rule(history, "w2", Status.WAITING, RuleEventKind.WAITS_FOR_APPROVAL)
    clock.now += timedelta(days=5)
    history.change_status("w1", Status.ACTIVE, RuleEventKind.APPROVED, "")
    assert list_periods(database, str(project)) == [
        RulePeriod(str(project), DAY + timedelta(days=5))
    ]
    assert list_periods(database, str(project), "w2") == []


def test_the_users_rules_count_in_every_project(
    database: Database, project: Path, home: Path
) -> None:
    add_rule(
        History(database, home / ".claude" / "CLAUDE.md", Clock()),
        *("u1", Status.PROVEN, RuleEventKind.ADDED_BY_HAND),
    )
    add_rule(
        History(database, project.parent / "other" / "CLAUDE.md", Clock()),
        *("o1", Status.ACTIVE, RuleEventKind.ADDED),
    )
    assert list_periods(database, str(project)) == [RulePeriod(str(project), DAY)]


def test_recurrences_are_counted_by_attempt(database: Database) -> None:
    run = store_run(database, "/p", DAY, False, True)
    for attempt, rule, recurred in ((1, "a", 1), (1, "b", 1), (2, "a", 0)):
        insert(
            database,
            "exposures",
            book="/p/CLAUDE.md",
            run=run,
            attempt=attempt,
            rule=rule,
            witness="file",
            recurred=recurred,
        )
    assert list_recurrences(database, ["/p"]) == [Recurrence("/p", DAY)]
    assert list_recurrences(database, ["/q"]) == []
