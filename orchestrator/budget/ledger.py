"""What all runs of this user spend: the one account of it, shared by every process on the machine.

Before an agent or a teacher is asked, an entry is started, which reserves what it may take at most;
when the bill is there, the entry is closed. What is reserved counts as spent until then, so runs
side by side cannot go over a limit together. The entry of a process that died is closed by an
estimate, because its bill never arrived.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.storage.database import Database, Row
from teacher.models import Usage

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

SMALLEST_ALLOWANCE_USD: Final = 0.01
"""US dollars; with less than this left nothing is started."""

_MOST_TOKENS: Final = 2**53
"""More than any bill has."""

LESSON_RESERVE_USD: Final = 0.25
"""US dollars reserved for one lesson: the teacher takes no limit, and a lesson costs less."""

_UNKNOWN_SHARE: Final = 0.1
"""Of a dead process's reservation, while no bill is known that it could be estimated by."""


class Kind(StrEnum):
    """What money is spent on."""

    AGENT = "agent"
    LESSON = "lesson"
    """By a teacher that is asked from this machine."""
    WEBHOOK = "webhook"
    """A lesson by a webhook, whose workflow may start runs that call it again."""


class CapReachedError(InfrastructureError):
    """A limit over all runs, or over one run, leaves nothing. The run can go on later."""


@dataclass(frozen=True)
class Caps:
    """How much may be spent; None is no limit."""

    cost_usd_per_day: float | None = None
    tokens_per_run: int | None = None
    agent_starts_per_hour: int | None = None
    cost_usd_per_run: float | None = None
    webhook_requests_per_hour: int | None = None
    webhook_cost_usd_per_day: float | None = None


@dataclass(frozen=True)
class Entry:
    """Something that was started. `allowance` is what it may take at most, in US dollars."""

    id: int
    allowance: float | None
    by_day: bool = False
    """Whether it is the limit of a day that allows no more."""


class Ledger:
    """The ledger of all runs. Any thread may call.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the record.
        now: gives the time in seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database, self._now = database, now

    def open_entry(
        self,
        run: str,
        caps: Caps,
        kind: Kind = Kind.AGENT,
        *,
        attempt: int = 0,
        at_most: float | None = None,
    ) -> Entry:
        """Begin an entry, if the limits leave room for it.

        Args:
            run: whose run it is.
            caps: the limits to keep.
            kind: what the money is spent on.
            attempt: the number of the run's attempt.
            at_most: US dollars that an agent may take by its run's own limit.

        Raises:
            CapReachedError: they leave none; says which one, and when it frees.
        """
        now = self._now()
        with self._database.transaction() as database:
            _close_abandoned(database, run)
            _require_tokens(database, run, caps)
            if kind is Kind.AGENT:
                _require_agent_start(database, caps, now)
            elif kind is Kind.WEBHOOK:
                _require_webhook(database, caps, now)
            left_of_run = _require_run_budget(database, run, caps)
            left = _require_day_budget(database, caps, now)
            wanted = at_most if kind is Kind.AGENT else LESSON_RESERVE_USD
            own = min((each for each in (left_of_run, wanted) if each is not None), default=None)
            by_day = left is not None and (own is None or left < own)
            allowance = left if by_day else own
            (row,) = database.fetch_rows(
                "INSERT INTO spending"
                " (run, attempt, kind, started, cost_usd, host, process, process_started)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (run, attempt, kind, now, allowance or 0.0, *mark_process()),
            )
            return Entry(int(row[0]), allowance, by_day)

    def close_entry(self, entry: Entry, usage: Usage) -> None:
        """Put the bill in the place of what was reserved; one that cannot be is estimated."""
        if not (0 <= usage.cost_usd < math.inf and 0 <= usage.tokens < _MOST_TOKENS):
            self.abandon_entry(entry)
            return
        self._database.write(
            "UPDATE spending SET closed = 1, cost_usd = ?, tokens = ? WHERE id = ?",
            (usage.cost_usd, usage.tokens, entry.id),
        )

    def abandon_entry(self, entry: Entry) -> None:
        """Settle an entry whose bill will never be known, by an estimate."""
        with self._database.transaction() as database:
            _close_with_estimate(database, entry.id)

    def sum_spending(self, within: float = DAY) -> float:
        """Return the US dollars spent or reserved within the last so many seconds, by all runs."""
        since = self._now() - within
        rows = self._database.fetch_rows(
            "SELECT sum(cost_usd) FROM spending WHERE started > ?", (since,)
        )
        return float(rows[0][0] or 0.0)


def _require_run_budget(database: Database, run: str, caps: Caps) -> float | None:
    """Return what a run's own limit leaves; what killed attempts took is only known here."""
    if caps.cost_usd_per_run is None:
        return None
    rows = database.fetch_rows("SELECT sum(cost_usd) FROM spending WHERE run = ?", (run,))
    spent = float(rows[0][0] or 0.0)
    if spent < caps.cost_usd_per_run:
        return caps.cost_usd_per_run - spent
    raise CapReachedError(
        f"the run's cost limit is used up: ${spent:.2f} of ${caps.cost_usd_per_run:.2f}, with an "
        "estimate for whatever was broken off",
        "`orchestrator resume --max-cost-usd` allows more",
    )


def _require_day_budget(database: Database, caps: Caps, now: float) -> float | None:
    if caps.cost_usd_per_day is None:
        return None
    rows = database.fetch_rows(
        "SELECT started, cost_usd, closed FROM spending WHERE started > ? ORDER BY started",
        (now - DAY,),
    )
    spent = sum(cost for _, cost, _ in rows)
    left = caps.cost_usd_per_day - spent
    if left >= SMALLEST_ALLOWANCE_USD:
        return float(left)
    reserved = sum(cost for _, cost, closed in rows if not closed)
    raise CapReachedError(
        f"the cost limit of a day is used up: ${spent:.2f} of ${caps.cost_usd_per_day:.2f}, all "
        "runs together" + (f", ${reserved:.2f} of it reserved by runs at work" * bool(reserved)),
        f"{_describe_reset(rows, caps.cost_usd_per_day - SMALLEST_ALLOWANCE_USD, now, DAY)}; "
        "limits.max_cost_usd_per_day allows more",
    )


def _require_agent_start(database: Database, caps: Caps, now: float) -> None:
    if caps.agent_starts_per_hour is None:
        return
    rows = database.fetch_rows(
        "SELECT started, 1, 1 FROM spending WHERE kind = ? AND started > ? ORDER BY started",
        (Kind.AGENT, now - HOUR),
    )
    if len(rows) >= caps.agent_starts_per_hour:
        raise CapReachedError(
            f"{len(rows)} agents were started within an hour, all runs together",
            f"{_describe_reset(rows, caps.agent_starts_per_hour - 1, now, HOUR)}; "
            "limits.max_agent_starts_per_hour allows more",
        )


def _require_webhook(database: Database, caps: Caps, now: float) -> None:
    """Keep the webhook's own limits, against workflows that start the runs that call them."""
    rows = database.fetch_rows(
        "SELECT started, cost_usd FROM spending WHERE kind = ? AND started > ?",
        (Kind.WEBHOOK, now - DAY),
    )
    asked = sum(started > now - HOUR for started, _ in rows)
    most, dearest = caps.webhook_requests_per_hour, caps.webhook_cost_usd_per_day
    if most is not None and asked >= most:
        raise CapReachedError(
            f"{asked} requests went to the webhook within an hour; that looks like workflows that "
            "call each other",
            "find what starts the runs, or raise n8n.max_requests_per_hour",
        )
    spent = sum(cost for _, cost in rows)
    if dearest is not None and spent >= dearest:
        raise CapReachedError(
            f"the webhook teacher took ${spent:.2f} within a day",
            "find what starts the runs, or raise n8n.max_cost_usd_per_day",
        )


def _require_tokens(database: Database, run: str, caps: Caps) -> None:
    if caps.tokens_per_run is None:
        return
    rows = database.fetch_rows("SELECT sum(tokens) FROM spending WHERE run = ?", (run,))
    if (used := int(rows[0][0] or 0)) >= caps.tokens_per_run:
        raise CapReachedError(
            f"the run's token limit is used up: {used:,} of {caps.tokens_per_run:,}",
            "start a new run; limits.max_tokens allows more",
        )


def _describe_reset(rows: Sequence[Row], bound: float, now: float, window: float) -> str:
    """Say when enough of the rows, the oldest first, are older than the window."""
    left = sum(cost for _, cost, _ in rows)
    for started, cost, closed in rows:
        if not closed:
            return "free again when those runs end their attempts, then `orchestrator resume`"
        left -= cost
        if left <= bound + 1e-9:
            return f"free again {format_moment(started + window, now)}, then `orchestrator resume`"
    return "it leaves nothing at any time"


def format_moment(moment: float, now: float) -> str:
    """Return `at 15:04`, or `on Sat 21 Nov at 15:04` on another day, in this machine's zone."""
    then, today = (datetime.fromtimestamp(each).astimezone() for each in (moment, now))
    day = "" if then.date() == today.date() else f"on {then:%a %d %b} "
    return f"{day}at {then:%H:%M}"


def _close_abandoned(database: Database, run: str) -> None:
    """Close the entries whose bill will never come.

    Of a process on another machine nobody here can tell; but a run is carried by one at a time, so
    what another machine opened for it is over.
    """
    here = mark_process().host
    rows = database.fetch_rows(
        "SELECT id, run, host, process, process_started FROM spending WHERE closed = 0"
    )
    for identity, whose, *values in rows:
        mark = ProcessMark(*values)
        taken_over = whose == run and mark.host != here
        if taken_over or not is_running(mark, local=database.is_local):
            _close_with_estimate(database, identity)


def _close_with_estimate(database: Database, identity: int) -> None:
    """Settle by the dearest known bill of its kind, at most what was reserved."""
    rows = database.fetch_rows(
        "SELECT kind, cost_usd FROM spending WHERE id = ? AND closed = 0", (identity,)
    )
    for kind, reserved in rows:
        ((dearest,),) = database.fetch_rows(
            "SELECT max(cost_usd) FROM spending WHERE closed = 1 AND tokens > 0 AND kind = ?",
            (kind,),
        )
        estimate = reserved * _UNKNOWN_SHARE if dearest is None else min(reserved, dearest)
        database.write(
            "UPDATE spending SET closed = 1, cost_usd = ? WHERE id = ?", (estimate, identity)
        )
