"""Find out when the rules of a project were active, from what is recorded of them."""

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from orchestrator.rulebook.records import RuleEventKind, Status
from orchestrator.services.rulebooks import resolve_rulebook_path
from orchestrator.session_hooks.writeahead.locations import find_global_base
from orchestrator.sessions.counting.measured_tasks import Recurrence, RulePeriod
from orchestrator.storage.database import Database, Row

_BEGINNINGS: Final = frozenset(
    (
        *(RuleEventKind.ADDED, RuleEventKind.ADDED_BY_HAND, RuleEventKind.ADOPTED),
        *(RuleEventKind.RETURNED, RuleEventKind.RESTORED, RuleEventKind.APPROVED),
    )
)
_ENDS: Final = frozenset(
    (
        *(RuleEventKind.RETIRED, RuleEventKind.REJECTED, RuleEventKind.ARCHIVED),
        *(RuleEventKind.LEFT_FILE, RuleEventKind.QUARANTINED),
    )
)
_ACTIVE: Final = frozenset(each.value for each in Status if each.is_active)


def list_books(project: str) -> list[str]:
    """Return the rulebooks whose rules are loaded in a project: its own, and the user's."""
    folders = (Path(project), Path(os.path.realpath(find_global_base())))
    return list(dict.fromkeys(str(resolve_rulebook_path(each)) for each in folders))


def list_periods(database: Database, project: str, rule: str = "") -> list[RulePeriod]:
    """Return when the rules that are loaded in a project were active.

    Args:
        database: the database.
        project: the project's real path.
        rule: the id of a rule, for that one alone.
    """
    books = list_books(project)
    marks = ", ".join("?" * len(books))
    one = " AND r.id = ?" if rule else ""
    rows = database.fetch_rows(
        "SELECT r.book, r.id, r.status, r.learned, e.at, e.what, r.origin FROM rules r"  # noqa: S608 -- our own names
        " LEFT JOIN rule_events e ON e.book = r.book AND e.rule = r.id"
        f" WHERE r.book IN ({marks}){one} ORDER BY r.book, r.id, e.position",
        (*books, *([rule] if rule else [])),
    )
    with database.explain_damage():
        return [
            replace(period, failure=failure)
            for _, group in groupby(rows, key=lambda row: (row[0], row[1]))
            for failure, periods in [_split_origin(project, list(group))]
            for period in periods
        ]


def _split_origin(project: str, rows: Sequence[Row]) -> tuple[str, list[RulePeriod]]:
    """Return the failure that a rule is against, and when the rule was active."""
    failure = json.loads(str(rows[0][-1])).get("failure")
    return str(failure or ""), find_periods(project, [row[:-1] for row in rows])


def find_periods(project: str, rows: Sequence[Row]) -> list[RulePeriod]:
    """Return when one rule was active.

    Args:
        project: the project.
        rows: for each event of the rule: its book, id, present status, when it was learned, when
            the event was, and what it was.
    """
    _, _, status, learned, *_ = rows[0]
    periods: list[RulePeriod] = []
    since: datetime | None = None
    last: datetime | None = None
    for _, _, _, _, at, what in rows:
        if at is None:  # it has no events
            continue
        last = datetime.fromisoformat(at)
        if what in _BEGINNINGS:
            since = since or last
        elif what in _ENDS and since:
            periods.append(RulePeriod(project, since, last))
            since = None
    # The status is certain; an event of an earlier version may have another name.
    if status in _ACTIVE:
        periods.append(RulePeriod(project, since or datetime.fromisoformat(learned)))
    elif since and last and last > since:
        periods.append(RulePeriod(project, since, last))
    return periods


def list_recurrences(database: Database, projects: Iterable[str]) -> list[Recurrence]:
    """Return the attempts of runs in which the failure of an active rule came back."""
    rows = database.fetch_rows(
        "SELECT DISTINCT r.project, a.run, a.number, a.at FROM exposures e"
        " JOIN attempts a ON a.run = e.run AND a.number = e.attempt"
        " JOIN runs r ON r.id = e.run WHERE e.recurred = 1 AND e.witness != 'none'"
    )
    known = frozenset(projects)
    with database.explain_damage():
        return [
            Recurrence(project, datetime.fromisoformat(at))
            for project, _, _, at in rows
            if project in known
        ]
