"""List what is stored of sessions.

It imports neither the reader nor the types of a session: a list should appear at once.
"""

import bisect
import itertools
import json
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NamedTuple

from orchestrator.errors import UsageError
from orchestrator.sessions.store.project_sessions import (
    CONDITION,
    format_transcript_time,
    list_values,
)
from orchestrator.storage.database import Database, Row

LAST: Final = "last"
"""In place of an id."""
OWN: Final = "own"
"""`SessionClass.OWN`, without importing the reader."""


class SessionSummary(NamedTuple):
    """What is stored of a session, as in the table `sessions`."""

    family: str
    id: str
    kind: str
    """The class."""
    project: str
    folder: str
    title: str
    """Its name, or its first prompt."""
    started: str
    ended: str
    versions: tuple[str, ...]
    models: tuple[str, ...]
    prompts: int
    model_calls: int
    tool_calls: int
    errors: int
    rejections: int
    interruptions: int
    corrections: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_reliable: bool
    cost_usd: float | None
    tests: str
    """`green`, `red` or `unknown`: the last suite run; empty without one."""
    paths: tuple[str, ...]
    """Files that were changed by tools."""


_SHORTEST_ID: Final = 8
_COLUMNS: Final = ", ".join("class" if name == "kind" else name for name in SessionSummary._fields)


def list_sessions(
    database: Database,
    *,
    limit: int | None = None,
    project: str = "",
    since: datetime | None = None,
    kind: str = "",
) -> list[SessionSummary]:
    """Return sessions, those that ended last first.

    Args:
        database: the database.
        limit: how many at most; None for all.
        project: the path of a project, for its sessions alone.
        since: only those that ended after this time.
        kind: only those of a class.
    """
    where, values = _build_condition(project, since, kind)
    end = "ORDER BY ended DESC, id, family"
    rows = database.fetch_rows(
        f"SELECT {_COLUMNS} FROM sessions {where} {end} LIMIT ?",  # noqa: S608 -- our own names
        (*values, 1_000_000_000 if limit is None else limit),
    )
    with database.explain_damage():
        return [_build_summary(row) for row in rows]


def count_sessions(
    database: Database, *, project: str = "", since: datetime | None = None, kind: str = ""
) -> int:
    """Return how many sessions there are, see `list_sessions`."""
    where, values = _build_condition(project, since, kind)
    rows = database.fetch_rows(f"SELECT count(*) FROM sessions {where}", values)  # noqa: S608
    return int(rows[0][0])


def _build_condition(
    project: str, since: datetime | None, kind: str
) -> tuple[str, list[str | int]]:
    conditions: list[str] = []
    values: list[str | int] = []
    if project:
        conditions.append(CONDITION)
        values += list_values(project)
    if since:
        conditions.append("ended >= ?")
        values.append(format_transcript_time(since))
    if kind:
        conditions.append("class = ?")
        values.append(kind)
    return f"WHERE {' AND '.join(conditions)}" if conditions else "", values


def _build_summary(row: Row) -> SessionSummary:
    found = SessionSummary(*row)
    values: dict[str, Any] = {
        name: tuple(map(str, json.loads(getattr(found, name))))
        for name in ("versions", "models", "paths")
    }
    cost = None if found.cost_usd is None else float(found.cost_usd)
    return found._replace(
        **values,
        project=_mask_path(found.project),
        folder=_mask_path(found.folder),
        output_reliable=bool(found.output_reliable),
        cost_usd=cost,
    )


@lru_cache(maxsize=1_000)
def _mask_path(path: str) -> str:
    from orchestrator.masking import mask_text

    return mask_text(path)


def shorten_ids(database: Database, ids: Iterable[str]) -> dict[str, str]:
    """Return the shortest beginning of each id that no other stored session has.

    Not less than eight characters. Our own sessions have more than that in common.
    """
    known = sorted(str(each) for (each,) in database.fetch_rows("SELECT DISTINCT id FROM sessions"))
    short = {}
    for each in ids:
        at = bisect.bisect_left(known, each)
        others = [*known[max(0, at - 1) : at], *known[at + 1 : at + 2]]
        common = max((_count_common(each, other) for other in others), default=0)
        short[each] = each[: max(_SHORTEST_ID, common + 1)]
    return short


def _count_common(one: str, other: str) -> int:
    """Return the length of the beginning that two texts have in common."""
    return sum(
        1
        for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    )


def find_session(database: Database, session: str, project: str = "") -> SessionSummary:
    """Return a session by its id, the beginning of its id, or `last`.

    Args:
        database: the database.
        session: the id, its beginning, or `last`: the one that ended last and is not our own.
        project: the project whose `last` is meant; empty for all.

    Raises:
        UsageError: there is none, or more than one.
    """
    if session == LAST:
        return _find_last(database, project)
    if not session:
        raise UsageError("the session's id is empty", "list them with `orchestrator sessions list`")
    rows = database.fetch_rows(
        f"SELECT {_COLUMNS} FROM sessions WHERE substr(id, 1, ?) = ?"  # noqa: S608 -- our own names
        " ORDER BY id, tool_calls + model_calls DESC, family",
        (len(session), session),
    )
    with database.explain_damage():
        found = [_build_summary(row) for row in rows]
    found = [each for each in found if each.id == session] or found
    ids = list(dict.fromkeys(each.id for each in found))
    if not ids:
        raise UsageError(
            f"there is no session {session}", "list them with `orchestrator sessions list --all`"
        )
    if len(ids) > 1:
        shown = ", ".join(ids[:4])
        raise UsageError(f"several session ids begin with {session}: {shown}", "give more of it")
    return found[0]


def _find_last(database: Database, project: str) -> SessionSummary:
    where, values = ("AND project = ?", [project]) if project else ("", [])
    rows = database.fetch_rows(
        f"SELECT {_COLUMNS} FROM sessions WHERE class <> ? {where}"  # noqa: S608 -- our own names
        " ORDER BY ended DESC, id, family LIMIT 1",
        (OWN, *values),
    )
    if not rows:
        where = f" in {project}" if project else ""
        raise UsageError(
            f"there is no session{where}", "list all with `orchestrator sessions list --all`"
        )
    with database.explain_damage():
        return _build_summary(rows[0])
