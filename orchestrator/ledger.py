"""What all runs of this user spend: `<state>/ledger.db`, shared by every process on the machine.

Before an agent or a teacher is asked, an entry is begun, which reserves what it may take at most;
when the bill is there, the entry is settled. What is reserved counts as spent until then, so runs
side by side cannot go over a limit together. The entry of a process that died is settled by an
estimate, because its bill never arrived.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import psutil

from orchestrator.errors import InfrastructureError
from teacher.models import Usage

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

SMALLEST: Final = 0.01
"""US dollars; with less than this left nothing is begun."""

TEACHER: Final = 0.25
"""US dollars reserved for one lesson: the teacher takes no limit, and a lesson costs less."""

_UNKNOWN_SHARE: Final = 0.1
"""Of a dead process's reservation, while no bill is known that it could be estimated by."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS spending (
    id INTEGER PRIMARY KEY,
    run TEXT NOT NULL,
    agent INTEGER NOT NULL,
    begun REAL NOT NULL,
    settled INTEGER NOT NULL DEFAULT 0,
    cost_usd REAL NOT NULL,
    tokens INTEGER NOT NULL DEFAULT 0,
    process INTEGER NOT NULL,
    process_started REAL NOT NULL
)
"""
"""`cost_usd` is what is reserved until `settled`, and the bill from then on."""


class CapReachedError(InfrastructureError):
    """A limit over all runs, or over one run, leaves nothing. The run can go on later."""


@dataclass(frozen=True)
class Caps:
    """How much may be spent; None is no limit."""

    cost_usd_per_day: float | None = None
    tokens_per_run: int | None = None
    agent_starts_per_hour: int | None = None
    cost_usd_per_run: float | None = None


@dataclass(frozen=True)
class Entry:
    """Something that was begun. `allowance` is what it may take at most, in US dollars."""

    id: int
    allowance: float | None
    by_day: bool = False
    """Whether it is the limit of a day that allows no more."""


class Ledger:
    """The ledger of a state directory. Each call opens it anew, so any thread may call.

    Args:
        directory: the state directory.
        now: gives the time in seconds since 1970.
    """

    def __init__(self, directory: Path, now: Callable[[], float] = time.time) -> None:
        self._path, self._now = directory / "ledger.db", now

    def begin(
        self, run: str, caps: Caps, *, agent: bool = True, at_most: float | None = None
    ) -> Entry:
        """Begin an entry, if the limits leave room for it.

        Args:
            run: whose run it is.
            caps: the limits to keep.
            agent: whether an agent starts; a lesson otherwise.
            at_most: US dollars that the agent may take by its run's own limit.

        Raises:
            CapReachedError: they leave none; says which one, and when it frees.
            InfrastructureError: the ledger cannot be written.
        """
        now = self._now()
        with self._transaction() as database:
            _settle_the_dead(database)
            _demand_tokens(database, run, caps)
            if agent:
                _demand_start(database, caps, now)
            left_of_run = _left_of_run(database, run, caps)
            left = _left_of_day(database, caps, now)
            wanted = at_most if agent else TEACHER
            own = min((each for each in (left_of_run, wanted) if each is not None), default=None)
            by_day = left is not None and (own is None or left < own)
            allowance = left if by_day else own
            cursor = database.execute(
                "INSERT INTO spending (run, agent, begun, cost_usd, process, process_started)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (run, agent, now, allowance or 0.0, os.getpid(), _process_start(os.getpid())),
            )
            return Entry(cursor.lastrowid or 0, allowance, by_day)

    def settle(self, entry: Entry, usage: Usage) -> None:
        """Put the bill in the place of what was reserved."""
        with self._transaction() as database:
            database.execute(
                "UPDATE spending SET settled = 1, cost_usd = ?, tokens = ? WHERE id = ?",
                (usage.cost_usd, usage.tokens, entry.id),
            )

    def abandon(self, entry: Entry) -> None:
        """Settle an entry whose bill will never be known, by an estimate."""
        with self._transaction() as database:
            _estimate(database, entry.id)

    def spent(self, within: float = DAY) -> float:
        """US dollars spent or reserved within the last so many seconds, all runs together."""
        with self._transaction() as database:
            since = self._now() - within
            row = database.execute("SELECT sum(cost_usd) FROM spending WHERE begun > ?", (since,))
            return float(row.fetchone()[0] or 0.0)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = sqlite3.connect(self._path, timeout=30, isolation_level=None)
            with closing(connection) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute(_SCHEMA)
                yield database
                database.execute("COMMIT")  # whatever is raised before it undoes everything
        except (OSError, sqlite3.Error) as error:
            raise InfrastructureError(
                f"the ledger {self._path} cannot be used: {error}",
                "free space there, or move the file away to begin a new one",
            ) from error


def _left_of_run(database: sqlite3.Connection, run: str, caps: Caps) -> float | None:
    """What a run's own limit leaves. The bills of attempts that were killed are only known here."""
    if caps.cost_usd_per_run is None:
        return None
    row = database.execute("SELECT sum(cost_usd) FROM spending WHERE run = ?", (run,)).fetchone()
    spent = float(row[0] or 0.0)
    if spent < caps.cost_usd_per_run:
        return caps.cost_usd_per_run - spent
    raise CapReachedError(
        f"the run's cost limit is used up: ${spent:.2f} of ${caps.cost_usd_per_run:.2f}, with an "
        "estimate for whatever was broken off",
        "`orchestrator resume --max-cost-usd` allows more",
    )


def _left_of_day(database: sqlite3.Connection, caps: Caps, now: float) -> float | None:
    if caps.cost_usd_per_day is None:
        return None
    rows = database.execute(
        "SELECT begun, cost_usd, settled FROM spending WHERE begun > ? ORDER BY begun", (now - DAY,)
    ).fetchall()
    spent = sum(cost for _, cost, _ in rows)
    left = caps.cost_usd_per_day - spent
    if left >= SMALLEST:
        return float(left)
    reserved = sum(cost for _, cost, settled in rows if not settled)
    raise CapReachedError(
        f"the cost limit of a day is used up: ${spent:.2f} of ${caps.cost_usd_per_day:.2f}, all "
        "runs together" + (f", ${reserved:.2f} of it reserved by runs at work" * bool(reserved)),
        f"{_free(rows, caps.cost_usd_per_day - SMALLEST, now, DAY)}; "
        "limits.max_cost_usd_per_day allows more",
    )


def _demand_start(database: sqlite3.Connection, caps: Caps, now: float) -> None:
    if caps.agent_starts_per_hour is None:
        return
    rows = database.execute(
        "SELECT begun, 1, 1 FROM spending WHERE agent AND begun > ? ORDER BY begun", (now - HOUR,)
    ).fetchall()
    if len(rows) >= caps.agent_starts_per_hour:
        raise CapReachedError(
            f"{len(rows)} agents were started within an hour, all runs together",
            f"{_free(rows, caps.agent_starts_per_hour - 1, now, HOUR)}; "
            "limits.max_agent_starts_per_hour allows more",
        )


def _demand_tokens(database: sqlite3.Connection, run: str, caps: Caps) -> None:
    if caps.tokens_per_run is None:
        return
    row = database.execute("SELECT sum(tokens) FROM spending WHERE run = ?", (run,)).fetchone()
    if (used := int(row[0] or 0)) >= caps.tokens_per_run:
        raise CapReachedError(
            f"the run's token limit is used up: {used:,} of {caps.tokens_per_run:,}",
            "start a new run; limits.max_tokens allows more",
        )


def _free(rows: list[tuple[float, float, int]], bound: float, now: float, window: float) -> str:
    """When enough of the rows, the oldest first, are older than the window."""
    left = sum(cost for _, cost, _ in rows)
    for begun, cost, settled in rows:
        if not settled:
            return "free again when those runs end their attempts, then `orchestrator resume`"
        left -= cost
        if left <= bound + 1e-9:
            return f"free again {at(begun + window, now)}, then `orchestrator resume`"
    return "it leaves nothing at any time"


def at(moment: float, now: float) -> str:
    """`at 15:04`, or `on Sat 21 Nov at 15:04` on another day, in this machine's time zone."""
    then, today = (datetime.fromtimestamp(each).astimezone() for each in (moment, now))
    day = "" if then.date() == today.date() else f"on {then:%a %d %b} "
    return f"{day}at {then:%H:%M}"


def _settle_the_dead(database: sqlite3.Connection) -> None:
    rows = database.execute(
        "SELECT id, process, process_started FROM spending WHERE NOT settled"
    ).fetchall()
    for identity, process, started in rows:
        if abs(_process_start(process) - started) > 1.0:
            _estimate(database, identity)


def _estimate(database: sqlite3.Connection, identity: int) -> None:
    """Settle by the dearest known bill of its kind, at most what was reserved."""
    database.execute(
        "UPDATE spending SET settled = 1, cost_usd = min(cost_usd, coalesce("
        " (SELECT max(other.cost_usd) FROM spending AS other"
        "  WHERE other.settled AND other.tokens > 0 AND other.agent = spending.agent),"
        " cost_usd * ?)) WHERE id = ? AND NOT settled",
        (_UNKNOWN_SHARE, identity),
    )


def _process_start(process: int) -> float:
    """When a process began, in seconds since 1970; 0 when it is gone."""
    try:
        return float(psutil.Process(process).create_time())
    except psutil.Error:
        return 0.0
