"""Read the tasks that `metrics` counts from the rows that are stored of sessions and runs."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, tzinfo
from typing import Any, Final

from orchestrator.models.runs import RunOutcome
from orchestrator.models.verdicts import VerdictKind
from orchestrator.sessions.counting.findings import THRESHOLDS, fingerprint_key
from orchestrator.sessions.counting.metrics import (
    MeasuredTask,
    TaskSource,
    Week,
    WeekNumbers,
    find_week,
)
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.sessions.models import SessionClass

Row = Mapping[str, Any]

_SOURCES: Final = {
    SessionClass.HUMAN: TaskSource.PEOPLE,
    SessionClass.HEADLESS: TaskSource.HEADLESS,
}
"""Own sessions are measured as runs; those of subagents are a part of a task that is not known."""
_JUDGED: Final = (RunOutcome.SOLVED, RunOutcome.NOT_SOLVED, RunOutcome.NOTHING_CHANGED)
"""Ends of a run that say something about the task."""
_RED: Final = frozenset(
    {VerdictKind.OWN_FAILURE, VerdictKind.EXIT_STATUS, VerdictKind.NOTHING_PASSES}
)


@dataclass(frozen=True)
class RulePeriod:
    """When a rule was active in a project."""

    project: str
    since: datetime
    until: datetime | None = None
    """None while it is active."""
    failure: str = ""
    """The fingerprint of the failure that it is against; empty if it has none."""

    def has(self, moment: datetime) -> bool:
        """Return whether the rule was active at a moment."""
        return self.since <= moment and (self.until is None or moment < self.until)


@dataclass(frozen=True)
class Recurrence:
    """A failure that an active rule is against."""

    project: str
    at: datetime
    source: TaskSource = TaskSource.RUNS


def read_session_tasks(tasks: Iterable[Row], sessions: Iterable[Row]) -> list[MeasuredTask]:
    """Return the tasks of stored sessions, without own ones, and without unreadable times.

    A transcript has only the cost of the whole session, which is that of its first task here.

    Args:
        tasks: rows of `session_tasks`.
        sessions: rows of `sessions`; tasks of others are left out.
    """
    known = {(row["family"], row["id"]): row for row in sessions}
    measured = []
    charged: set[tuple[str, str]] = set()
    for row in sorted(tasks, key=lambda row: int(row["number"])):
        key = (row["family"], row["session"])
        session = known.get(key)
        source = _find_source(session) if session else None
        started = _read_time(row["started"])
        if session is None or source is None or started is None:
            continue
        cost = session.get("cost_usd")
        measured.append(
            MeasuredTask(
                source,
                project=session["project"],
                session=row["session"],
                started=started,
                resolved=_read_truth(row["resolved"]),
                first_green=_read_truth(row["first_green"]),
                cost_usd=0.0 if cost is not None and key in charged else cost,
                **{name: row[name] for name in _COUNTS},
            )
        )
        charged.add(key)
    return measured


def _find_source(session: Row) -> TaskSource | None:
    return _SOURCES.get(SessionClass(session["class"]))


def find_session_recurrences(
    occurrences: Iterable[Row], sessions: Iterable[Row], rules: Iterable[RulePeriod]
) -> list[Recurrence]:
    """Return for each session and rule the first failure that the rule was against while active.

    Args:
        occurrences: rows of `occurrences`.
        sessions: rows of `sessions`; what was found in others is left out.
        rules: when rules were active.
    """
    by_failure: dict[tuple[str, str], list[RulePeriod]] = {}
    for rule in rules:
        if rule.failure:
            by_failure.setdefault((rule.project, rule.failure), []).append(rule)
    known = {(row["family"], row["id"]): row for row in sessions}
    found: dict[tuple[str, str, str], list[datetime]] = {}
    least: dict[tuple[str, str, str], int] = {}
    for row in occurrences if by_failure else ():
        session = known.get((row["family"], row["session"]))
        at = _read_time(row["at"])
        if session is None or at is None:
            continue
        detector = Detector(row["detector"])
        failure = fingerprint_key(detector, row["key"])
        periods = by_failure.get((session["project"], failure), ())
        if any(each.has(at) for each in periods):
            place = (row["family"], row["session"], failure)
            found.setdefault(place, []).append(at)
            least[place] = THRESHOLDS[detector].in_each
    recurrences = []
    for place, times in found.items():
        session = known[place[:2]]
        source = _find_source(session)
        if source and len(times) >= least[place]:
            recurrences.append(Recurrence(session["project"], min(times), source))
    return recurrences


_COUNTS: Final = (
    *("tool_calls", "edits", "suite_runs", "red_runs", "rejections", "interruptions"),
    *("corrections", "tokens", "seconds", "version", "model"),
)
"""Columns that a measured task has, too."""


def read_runs(
    runs: Iterable[Row], attempts: Iterable[Row], suites: Iterable[Row] = ()
) -> list[MeasuredTask]:
    """Return our own runs as tasks, without those that say nothing about the code.

    An attempt is a run of the suite, and red if it has failures of its own; that old tests fail
    is no failure. The baseline, attempt 0, is not counted.

    Args:
        runs: rows of `runs`.
        attempts: rows of `attempts`.
        suites: rows of `suites`; of an attempt without a verdict, they say that tests ran.
    """
    by_run: dict[str, list[Row]] = {}
    for row in attempts:
        if row["number"] > 0:
            by_run.setdefault(row["run"], []).append(row)
    ran = {(row["run"], row["attempt"]) for row in suites}
    measured = []
    for run in runs:
        started = _read_time(run["started"])
        if run["outcome"] in _JUDGED and started is not None:
            made = sorted(by_run.get(run["id"], []), key=lambda row: int(row["number"]))
            measured.append(_measure_run(run, started, made, ran))
    return measured


def _measure_run(
    run: Row, started: datetime, attempts: Sequence[Row], ran: set[tuple[Any, Any]]
) -> MeasuredTask:
    verdicts = [bool(row["solved"]) for row in attempts if _has_verdict(row)]
    ended = _read_time(run["ended"]) or started
    last = attempts[-1] if attempts else {"program_version": "", "model": ""}
    suites = sum(_has_verdict(row) or (row["run"], row["number"]) in ran for row in attempts)
    return MeasuredTask(
        TaskSource.RUNS,
        project=run["project"],
        session=run["id"],
        started=started,
        edits=len(attempts),
        suite_runs=suites,
        red_runs=verdicts.count(False),
        resolved=run["outcome"] == RunOutcome.SOLVED if verdicts else None,
        first_green=verdicts[0] if verdicts else None,
        tokens=run["tokens"],
        seconds=max(0.0, (ended - started).total_seconds()),
        cost_usd=run["cost_usd"],
        version=last["program_version"],
        model=last["model"],
    )


def _has_verdict(attempt: Row) -> bool:
    """Return whether an attempt was judged: solved, or with failures of its own."""
    return bool(attempt["solved"]) or attempt["verdict"] in _RED


def add_rules(
    weeks: Iterable[WeekNumbers],
    rules: Sequence[RulePeriod],
    recurrences: Sequence[Recurrence],
    zone: tzinfo,
) -> list[WeekNumbers]:
    """Return weeks with the rules that were active at their end, and the recurrences in them."""
    return [
        replace(
            each,
            rules_active=_count_active(each, rules, zone),
            recurrences=sum(
                (one.project, one.source) == (each.project, each.source)
                and find_week(one.at, zone) == each.week
                for one in recurrences
            ),
        )
        for each in weeks
    ]


def _count_active(week: WeekNumbers, rules: Iterable[RulePeriod], zone: tzinfo) -> int:
    end = find_end(week.week, zone)
    return sum(
        one.project == week.project and one.since < end and (one.until is None or one.until >= end)
        for one in rules
    )


def find_end(week: Week, zone: tzinfo) -> datetime:
    """Return when a week ends, which is when the next one begins."""
    monday = datetime.fromisocalendar(week.year, week.number, 1)
    return (monday + timedelta(days=7)).replace(tzinfo=zone)


def _read_time(text: str | None) -> datetime | None:
    """Return a time with its zone; None if it cannot be read."""
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def _read_truth(value: Any) -> bool | None:  # noqa: ANN401 -- 0, 1 or NULL, as the database has it
    return None if value is None else bool(value)
