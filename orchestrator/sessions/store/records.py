"""Build what is stored of a session, write it, and read back what was found.

All texts are masked before they are cut, so that no half of a secret is stored. The project and the
folder are stored as they are, since sessions are found by them, and masked when they are shown.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from orchestrator.sessions.calls.tool_inputs import EditInput, read_input
from orchestrator.sessions.counting.findings import StoredOccurrence
from orchestrator.sessions.counting.tasks import TaskFacts
from orchestrator.sessions.detectors.occurrences import (
    COMMAND_MARK,
    MOST_OF_QUOTE,
    Detector,
    Occurrence,
)
from orchestrator.sessions.models import (
    ModelCall,
    Prompt,
    Session,
    SessionClass,
    ToolCall,
)
from orchestrator.sessions.reading.denials import is_cascade
from orchestrator.sessions.store.project_sessions import CONDITION, list_values
from orchestrator.storage.database import Database

_MOST_OF_TITLE: Final = 200
_MOST_OF_NAME: Final = 100
_MOST_OF_KEY: Final = 300
_MOST_OF_TEXT: Final = 4_000
"""Characters of a text in the details of an occurrence."""
_MARGIN: Final = 4_000
"""Characters that are masked beyond those that are stored: a secret may begin before the cut."""
_MOST_OF_RAW_QUOTE: Final = 20_000
_MOST_ITEMS: Final = 100
_LONGEST_PATH: Final = 4_096

_SESSION_COLUMNS: Final = (
    *("family", "id", "class", "project", "folder", "title", "started", "ended", "versions"),
    *("models", "prompts", "model_calls", "tool_calls", "errors", "rejections", "interruptions"),
    *("corrections", "input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens"),
    *("output_reliable", "cost_usd", "tests", "paths"),
)
_TASK_COLUMNS: Final = (
    *("number", "started", "ended", "tool_calls", "edits", "suite_runs", "unknown_runs"),
    *("red_runs", "resolved", "first_green", "rejections", "interruptions", "corrections"),
    *("tokens", "seconds", "version", "model"),
)
_OCCURRENCE_COLUMNS: Final = ("detector", "key", "agent", "row_id", "at", "quote", "detail")
_TABLES: Final = (("sessions", "id"), ("session_tasks", "session"), ("occurrences", "session"))
_OCCURRENCES: Final = (
    "SELECT o.detector, o.detail, o.key, s.project, o.session, o.row_id, o.at, o.quote, o.agent"
    " FROM occurrences o JOIN sessions s ON s.family = o.family AND s.id = o.session"
)
_OCCURRENCES_ORDER: Final = "ORDER BY o.at, o.family, o.session, o.position"

Value = str | int | float | None
Mask = Callable[[str], str]


@dataclass(frozen=True)
class SessionRecord:
    """The rows of one session, without its family."""

    id: str
    kind: SessionClass
    session: tuple[Value, ...]
    tasks: tuple[tuple[Value, ...], ...]
    occurrences: tuple[tuple[Value, ...], ...]


def build_record(
    session: Session,
    tasks: Sequence[TaskFacts],
    occurrences: Sequence[Occurrence],
    project: str,
    mask: Mask,
) -> SessionRecord:
    """Return the rows of a session, its texts masked.

    Args:
        session: the session.
        tasks: the numbers of its tasks.
        occurrences: what the detectors found.
        project: the project that it belongs to.
        mask: removes secrets from a text.
    """
    calls = [each for thread in session.threads for each in thread.entries]
    tools = [each for each in calls if isinstance(each, ToolCall)]
    prompts = [each for each in session.main.entries if isinstance(each, Prompt)]
    title = session.title or (prompts[0].text if prompts else "")
    row: tuple[Value, ...] = (
        session.id,
        session.kind.value,
        project[:_LONGEST_PATH],
        session.folder[:_LONGEST_PATH],
        shorten_masked(" ".join(title[: 4 * _MARGIN].split()), _MOST_OF_TITLE, mask),
        session.started,
        session.ended,
        _describe_names(session.versions, mask),
        _describe_names(session.models, mask),
        len(prompts),
        sum(isinstance(each, ModelCall) for each in calls),
        len(tools),
        sum(map(is_tool_error, tools)),
        sum(each.rejections for each in tasks),
        sum(each.interruptions for each in tasks),
        sum(each.corrections for each in tasks),
        session.usage.input,
        session.usage.output,
        session.usage.cache_read,
        session.usage.cache_write,
        int(session.output_reliable),
        session.cost_usd,
        _describe_tests(tasks),
        json.dumps([mask(path) for path in list_changed_paths(tools, session.folder)]),
    )
    return SessionRecord(
        session.id,
        session.kind,
        row,
        tuple(_build_task_row(each, mask) for each in tasks),
        tuple(_build_occurrence_row(each, mask) for each in occurrences),
    )


def is_tool_error(call: ToolCall) -> bool:
    """Return whether a call failed by itself: not denied, and not because another one failed."""
    failed = call.is_error and call.denial is None
    return failed and not is_cascade(call.result or "")


def list_changed_paths(calls: Iterable[ToolCall], folder: str) -> list[str]:
    """Return the files that a session has changed by tools, those in its folder relative to it."""
    changed = dict[str, None]()
    for call in calls:
        if call.name not in ("Edit", "MultiEdit", "Write", "NotebookEdit"):
            continue
        if call.is_error or call.denial or call.result is None:
            continue
        value = read_input(call)
        if isinstance(value, EditInput) and value.path:
            path = value.path
            if folder and path.startswith(f"{folder.rstrip('/')}/"):
                path = path[len(folder.rstrip("/")) + 1 :]
            changed[path] = None
            if len(changed) == _MOST_ITEMS:
                break
    return list(changed)


def _describe_tests(tasks: Sequence[TaskFacts]) -> str:
    """Return the outcome of the last suite run that could be read; empty without one."""
    for task in reversed(tasks):
        if task.suite_runs > task.unknown_runs:
            return "red" if task.resolved is False else "green"
    return "unknown" if any(task.suite_runs for task in tasks) else ""


def _describe_names(names: Sequence[str], mask: Mask) -> str:
    return json.dumps([shorten_masked(each, _MOST_OF_NAME, mask) for each in names[:_MOST_ITEMS]])


def _build_task_row(task: TaskFacts, mask: Mask) -> tuple[Value, ...]:
    values = asdict(task)
    for name in ("version", "model"):
        values[name] = shorten_masked(values[name], _MOST_OF_NAME, mask)
    row = (values[name] for name in _TASK_COLUMNS)
    return tuple(int(each) if isinstance(each, bool) else each for each in row)


def _build_occurrence_row(found: Occurrence, mask: Mask) -> tuple[Value, ...]:
    return (
        found.detector.value,
        shorten_masked(found.key, _MOST_OF_KEY, mask),
        found.agent,
        found.row,
        found.at,
        _shorten_quote(found.quote, mask),
        json.dumps(_mask_value(found.detail, mask), sort_keys=True),
    )


def _shorten_quote(quote: str, mask: Mask) -> str:
    """Return a quote, masked and then cut: commands first, so that their outputs are seen."""
    lines = mask(quote[:_MOST_OF_RAW_QUOTE]).split("\n")
    commands = sum(line.startswith(COMMAND_MARK) for line in lines)
    most = MOST_OF_QUOTE // max(2, commands) - 1
    for at, line in enumerate(lines):
        if line.startswith(COMMAND_MARK) and len(line) > most:
            lines[at] = f"{line[: most - 4]} ..."
    shown = "\n".join(lines)
    return shown if len(shown) <= MOST_OF_QUOTE else f"{shown[: MOST_OF_QUOTE - 4]} ..."


def shorten_masked(text: str, limit: int, mask: Mask) -> str:
    """Return the beginning of a text, masked before it is cut; `...` is at the end of a cut one."""
    masked = mask(text[: limit + _MARGIN])
    if len(masked) <= limit and len(text) <= limit + _MARGIN:
        return masked
    return f"{masked[: limit - 4]} ..."


def _mask_value(value: Any, mask: Mask) -> Any:  # noqa: ANN401 -- a value of JSON
    match value:
        case str():
            return shorten_masked(value, _MOST_OF_TEXT, mask)
        case dict():
            items = sorted(value.items(), key=lambda item: str(item[0]))[:_MOST_ITEMS]
            return {str(name): _mask_value(each, mask) for name, each in items}
        case list() | tuple():
            return [_mask_value(each, mask) for each in value[:_MOST_ITEMS]]
        case _:
            return value


def write_sessions(database: Database, family: str, records: Iterable[SessionRecord]) -> None:
    """Replace what is stored of a family; to be called in a transaction."""
    for table, _ in _TABLES:
        database.write(f"DELETE FROM {table} WHERE family = ?", (family,))  # noqa: S608 -- our own
    for record in records:
        _insert(database, "sessions", _SESSION_COLUMNS, [(family, *record.session)])
        _insert(
            database,
            "session_tasks",
            ("family", "session", *_TASK_COLUMNS),
            [(family, record.id, *row) for row in record.tasks],
        )
        _insert(
            database,
            "occurrences",
            ("family", "session", "position", *_OCCURRENCE_COLUMNS),
            [(family, record.id, at, *row) for at, row in enumerate(record.occurrences)],
        )


def _insert(
    database: Database, table: str, columns: Sequence[str], rows: Iterable[Sequence[Value]]
) -> None:
    marks = ", ".join("?" * len(columns))
    statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks})"  # noqa: S608 -- our own
    database.write_many(statement, rows)


def load_occurrences(
    database: Database, since: str = "", until: str = "", project: str = ""
) -> list[StoredOccurrence]:
    """Return what was found, in sessions of other people and programs than this one's.

    Args:
        database: the database.
        since: the first time, as in transcripts (`2026-01-28T11:15:57.297Z`); empty for all.
        until: the time after the last; empty for all.
        project: the path of a project, for its sessions alone.
    """
    conditions = ["s.class <> ?"]
    values: list[str | int] = [SessionClass.OWN.value]
    for condition, value in (("o.at >= ?", since), ("o.at < ?", until)):
        if value:
            conditions.append(condition)
            values.append(value)
    if project:
        chosen = f"SELECT family, id FROM sessions WHERE {CONDITION}"  # noqa: S608 -- a constant
        conditions.append(f"(s.family, s.id) IN ({chosen})")
        values += list_values(project)
    statement = f"{_OCCURRENCES} WHERE {' AND '.join(conditions)} {_OCCURRENCES_ORDER}"
    rows = database.fetch_rows(statement, values)
    with database.explain_damage():
        return [_build_stored(*row) for row in rows]


def _build_stored(detector: str, detail: str, *texts: str) -> StoredOccurrence:
    key, project, session, row, at, quote, agent = texts
    return StoredOccurrence(
        Detector(detector), key, project, session, row, at, quote, agent, json.loads(detail)
    )
