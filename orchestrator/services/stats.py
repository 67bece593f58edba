"""Gather the numbers of `orchestrator stats` from what is stored of sessions and runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import UsageError
from orchestrator.platform.local_zone import LocalZone
from orchestrator.services.rule_periods import list_books, list_periods, list_recurrences
from orchestrator.sessions.counting.measured_tasks import (
    Recurrence,
    RulePeriod,
    add_rules,
    find_session_recurrences,
    read_runs,
    read_session_tasks,
)
from orchestrator.sessions.counting.metrics import (
    BeforeAndAfter,
    MeasuredTask,
    TaskSource,
    WeekNumbers,
    count_weeks,
    find_week,
    split_at,
)
from orchestrator.sessions.store.project_sessions import CONDITION, list_values
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.storage.run_costs import COST_COLUMN, TOKENS_COLUMN
from orchestrator.storage.state_directory import resolve_state_directory

_SESSIONS: Final = ("family", "id", "class", "project", "cost_usd")
_OCCURRENCES: Final = ("family", "session", "detector", "key", "at")
_TASKS: Final = (
    *("family", "session", "number", "started", "ended", "tool_calls", "edits", "suite_runs"),
    *("unknown_runs", "red_runs", "resolved", "first_green", "rejections", "interruptions"),
    *("corrections", "tokens", "seconds", "version", "model"),
)
_RUNS: Final = ("id", "project", "started", "ended", "outcome", "cost_usd", "tokens")
_ATTEMPTS: Final = ("run", "number", "verdict", "solved", "model", "program_version")
_SUITES: Final = ("run", "attempt")
_COMPUTED: Final = {"cost_usd": COST_COLUMN, "tokens": TOKENS_COLUMN}
_OF_PROJECT: Final = "project = ?"
_OF_SESSIONS: Final = f"family IN (SELECT family FROM sessions WHERE {CONDITION})"  # noqa: S608 -- our own names
_OF_RUNS: Final = "run IN (SELECT id FROM runs WHERE project = ?)"


@dataclass(frozen=True)
class Stats:
    """The numbers of some weeks."""

    weeks: tuple[WeekNumbers, ...]
    """By project, source and week; those without tasks are left out."""
    wanted: int
    latest: datetime | None
    """When the last task of all began, in these weeks or before; None if there is none."""


@dataclass(frozen=True)
class RuleStats:
    """The numbers before and after a rule became active."""

    rule: str
    text: str
    project: str
    weeks: int
    """How many weeks are counted on each side."""
    since: datetime
    until: datetime | None
    """When it was active last, which is where `after` ends; None while it is active."""
    by_source: tuple[tuple[TaskSource, BeforeAndAfter], ...]


def gather_stats(
    project: Path | None, weeks: int, now: datetime | None = None, zone: tzinfo | None = None
) -> Stats:
    """Return the numbers of the last weeks.

    Args:
        project: the project's real path; None for all.
        weeks: how many weeks, the present one included.
        now: the present time if None.
        zone: the zone in which weeks begin; the user's if None.

    Raises:
        InfrastructureError: the database cannot be used.
    """
    zone = zone or LocalZone()
    now = now or datetime.now(zone)
    with open_database(resolve_state_directory()) as database:
        stored = _Stored(database, str(project) if project else "")
        sessions, tasks = stored.read_tasks()
        counted = count_weeks(tasks, zone)  # all of them: the first one shown has one before it
        projects = sorted({each.project for each in counted})
        periods = [period for each in projects for period in list_periods(database, each)]
        back = [
            *list_recurrences(database, projects),
            *stored.read_recurrences(sessions, periods),
        ]
        counted = add_rules(counted, periods, back, zone)
    # From noon on: a day is not always 24 hours long.
    noon = now.astimezone(zone).replace(hour=12)
    first = find_week(noon - timedelta(weeks=weeks - 1), zone)
    return Stats(
        tuple(each for each in counted if each.week >= first),
        weeks,
        max((each.started for each in tasks), default=None),
    )


def gather_rule_stats(project: Path, rule: str, weeks: int) -> RuleStats:
    """Return the numbers of a project before and after a rule became active, by source.

    Args:
        project: the project's real path.
        rule: the rule's id, or the beginning of it.
        weeks: how many weeks to count on each side.

    Raises:
        UsageError: there is no such rule, or it has never been active.
        InfrastructureError: the database cannot be used.
    """
    with open_database(resolve_state_directory()) as database:
        known, text = _find_rule(database, str(project), rule)
        periods = list_periods(database, str(project), known)
        if not periods:
            raise UsageError(
                f"rule {known} has never been active", f"see `orchestrator rules show {known}`"
            )
        _, tasks = _Stored(database, str(project)).read_tasks()
    since = min(each.since for each in periods)
    ends = [each.until for each in periods if each.until]
    until = max(ends) if len(ends) == len(periods) else None
    near = [
        each
        for each in tasks
        if abs(each.started - since) <= timedelta(weeks=weeks)
        and (until is None or each.started < max(since, until))
    ]
    by_source = [
        (source, split_at([each for each in near if each.source is source], since))
        for source in TaskSource
        if any(each.source is source for each in near)
    ]
    return RuleStats(known, text, str(project), weeks, since, until, tuple(by_source))


def _find_rule(database: Database, project: str, rule: str) -> tuple[str, str]:
    """Return the id and the text of a rule that is loaded in a project.

    Raises:
        UsageError: there is none, or more than one.
    """
    books = list_books(project)
    marks = ", ".join("?" * len(books))
    rows = database.fetch_rows(
        f"SELECT id, rule FROM rules WHERE book IN ({marks}) ORDER BY id",  # noqa: S608 -- our own names
        books,
    )
    found = [(each, text) for each, text in rows if each == rule] or [
        (each, text) for each, text in rows if rule and each.startswith(rule)
    ]
    if len(found) != 1:
        ids = ", ".join(each for each, _ in found[:4])
        raise UsageError(
            f"{rule} is the beginning of several rules: {ids}"
            if found
            else f"there is no rule `{rule}` in {project}",
            "see `orchestrator rules list --all`",
        )
    return found[0]


class _Stored:
    """What is stored of the sessions and runs of a project, or of all projects.

    Args:
        database: the database.
        project: the project's real path; all projects if empty.
    """

    def __init__(self, database: Database, project: str) -> None:
        self._database, self._project = database, project
        self._of_project: list[str | int] = [project]
        self._of_folder = list_values(project)

    def read_tasks(self) -> tuple[list[dict[str, Any]], list[MeasuredTask]]:
        """Return the rows of the sessions, and all tasks."""
        sessions = self._fetch("sessions", _SESSIONS, CONDITION)
        for session in sessions:
            session["project"] = self._project or session["project"]
        tasks = self._fetch("session_tasks", _TASKS, _OF_SESSIONS)
        runs = self._fetch("runs", _RUNS, _OF_PROJECT)
        attempts = self._fetch("attempts", _ATTEMPTS, _OF_RUNS)
        suites = self._fetch("suites", _SUITES, _OF_RUNS)
        with self._database.explain_damage():
            measured = [*read_session_tasks(tasks, sessions), *read_runs(runs, attempts, suites)]
        return sessions, measured

    def read_recurrences(
        self, sessions: Sequence[dict[str, Any]], periods: Sequence[RulePeriod]
    ) -> list[Recurrence]:
        """Return the sessions in which the failure of an active rule came back."""
        if not any(each.failure for each in periods):
            return []
        rows = self._fetch("occurrences", _OCCURRENCES, _OF_SESSIONS)
        with self._database.explain_damage():
            return find_session_recurrences(rows, sessions, periods)

    def _fetch(self, table: str, names: Sequence[str], where: str) -> list[dict[str, Any]]:
        computed = _COMPUTED if table == "runs" else {}
        columns = ", ".join(computed.get(name, name) for name in names)
        statement = f"SELECT {columns} FROM {table}"  # noqa: S608 -- our own names
        values = self._of_folder if where in (CONDITION, _OF_SESSIONS) else self._of_project
        rows = (
            self._database.fetch_rows(f"{statement} WHERE {where}", values)
            if self._project
            else self._database.fetch_rows(statement)
        )
        return [dict(zip(names, row, strict=True)) for row in rows]
