"""Find out what the running tasks of a list are doing, from the records of their runs."""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from orchestrator.tasks.models import TaskRecord, TaskState

if TYPE_CHECKING:
    from orchestrator.models import EventRow
    from orchestrator.storage.database import Database

_LOOKED_AT: Final = 30
"""Events at the end of a run's record among which the last step is looked for."""


def find_activities(tasks: Sequence[TaskRecord]) -> dict[str, str]:
    """Return what each running task did last, in one line, by its id."""
    running = [each for each in tasks if each.state is TaskState.RUNNING and each.run]
    if not running:
        return {}
    from orchestrator.storage.opening import open_database
    from orchestrator.storage.state_directory import resolve_state_directory

    with open_database(resolve_state_directory()) as database:
        found = {each.item.id: _find_activity(database, each.run) for each in running}
    return {name: text for name, text in found.items() if text}


def _find_activity(database: "Database", run: str) -> str:
    from orchestrator.storage.event_log import EventLog

    rows = EventLog(database).list_last_events(run, _LOOKED_AT)
    return next(filter(None, map(_describe_event, reversed(rows))), "")


def _describe_event(row: "EventRow") -> str:
    from orchestrator.services.run_activity import describe_activity

    try:
        return describe_activity(row.kind, row.attempt, json.loads(row.values))
    except (ValueError, LookupError, TypeError, AttributeError):
        return ""  # another version has written it
