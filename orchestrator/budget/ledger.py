"""The ledger: what all runs of this user spend, shared by every process on the machine.

Before an agent or a teacher is asked, an entry is opened, which reserves the most that it may
cost; when the bill arrives, the entry is closed. Until then the reservation counts as spent, so
parallel runs cannot exceed a limit together. The entry of a process that died is closed with an
estimate, because its bill never arrived.

Longer than 350 lines: every limit is read and used up in one transaction, which is here.
"""

import math
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from orchestrator.counts import format_count
from orchestrator.errors import InfrastructureError
from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.storage.database import Database, Row
from teacher.models import Usage

HOUR: Final = 3600.0
DAY: Final = 24 * HOUR

SMALLEST_ALLOWANCE_USD: Final = 0.01
"""US dollars; nothing is started with less than this left."""

_MOST_TOKENS: Final = 10**10
"""More than any real bill has."""

_OVERSHOOT_USD: Final = 20.0
"""US dollars by which a real bill may exceed its reservation: agents check their limit after each
answer, and no single answer of a model costs more."""

LESSON_RESERVE_USD: Final = 0.25
"""US dollars reserved for one lesson: a teacher takes no limit, but a lesson costs less."""

_UNKNOWN_SHARE: Final = 0.1
"""The part of a dead process's reservation that counts, while no bill of its kind is known."""


class Kind(StrEnum):
    """What money is spent on."""

    AGENT = "agent"
    LESSON = "lesson"
    """A lesson by a teacher that is asked from this machine."""
    WEBHOOK = "webhook"
    """A lesson by a webhook, whose workflow may start runs that call it again."""
    PREDICTION = "prediction"
    """A question which files the tasks of a list will change."""


class CapReachedError(InfrastructureError):
    """A limit of one run or of all runs is used up. The run can be resumed later."""


@dataclass(frozen=True)
class Caps:
    """How much may be spent; None means no limit."""

    cost_usd_per_day: float | None = None
    tokens_per_run: int | None = None
    agent_starts_per_hour: int | None = None
    cost_usd_per_run: float | None = None
    webhook_requests_per_hour: int | None = None
    webhook_cost_usd_per_day: float | None = None


@dataclass(frozen=True)
class Entry:
    """An entry of an agent or a lesson that was started."""

    id: int
    allowance: float | None
    """The most that it may cost, in US dollars; None for no limit."""
    by_day: bool = False
    """Whether the limit of a day sets the allowance, and not one of the run."""


class Ledger:
    """The ledger of all runs. Its methods may be called from any thread.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: stores the entries.
        now: returns the time in seconds since 1970.
    """

    def __init__(self, database: Database, now: Callable[[], float] = time.time) -> None:
        self._database, self._now = database, now

    @property
    def database(self) -> Database:
        """The database of all runs."""
        return self._database

    def find_day_room(self, cost_usd_per_day: float, without: Collection[str] = ()) -> float:
        """Return what the limit of a day leaves, in US dollars; negative if it is exceeded.

        Args:
            cost_usd_per_day: the limit.
            without: runs that do not count, also those that workers have named after them:
                `<run>-<token>`.
        """
        rows = self._database.fetch_rows(
            "SELECT run, cost_usd FROM spending WHERE started > ?", (self._now() - DAY,)
        )
        left_out = set(without)
        counted = (
            float(cost)
            for run, cost in rows
            if run not in left_out and run.rpartition("-")[0] not in left_out
        )
        return cost_usd_per_day - sum(counted)

    def open_entry(
        self,
        run: str,
        caps: Caps,
        kind: Kind = Kind.AGENT,
        *,
        attempt: int = 0,
        at_most: float | None = None,
    ) -> Entry:
        """Open an entry, if the limits leave room for it.

        Args:
            run: id of the run that pays.
            caps: the limits to keep.
            kind: what the money is spent on.
            attempt: the number of the run's attempt.
            at_most: US dollars that an agent may spend by its run's own limit.

        Raises:
            CapReachedError: a limit leaves no room; says which one, and when it resets.
        """
        now = self._now()
        with self._database.transaction() as database:
            _close_abandoned(database, run)
            _require_tokens(database, run, caps)
            if kind is Kind.AGENT:
                _require_agent_start(database, caps, now)
            elif kind is Kind.WEBHOOK:
                _require_webhook(database, caps, now)
            wanted = at_most if kind is Kind.AGENT else LESSON_RESERVE_USD
            allowance, by_day = _find_allowance(database, run, caps, wanted, now)
            (row,) = database.fetch_rows(
                "INSERT INTO spending"
                " (run, attempt, kind, started, cost_usd, host, process, process_started)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                (run, attempt, kind, now, allowance or 0.0, *mark_process()),
            )
            return Entry(int(row[0]), allowance, by_day)

    def close_entry(self, entry: Entry, usage: Usage) -> Usage:
        """Replace the reservation by the bill, and return what counts.

        A bill that cannot be true does not count: a negative one would give room under the limits,
        and an absurd one would use them up. Then the reservation stays.
        """
        if not _is_believable(entry, usage):
            usage = Usage(cost_usd=entry.allowance or 0.0)
        self._database.write(
            "UPDATE spending SET closed = 1, cost_usd = ?, tokens = ? WHERE id = ?",
            (usage.cost_usd, usage.tokens, entry.id),
        )
        return usage

    def abandon_entry(self, entry: Entry) -> None:
        """Close an entry whose bill will never be known, with an estimate."""
        with self._database.transaction() as database:
            _close_with_estimate(database, entry.id)

    def close_abandoned(self) -> None:
        """Close the entries of processes that died, so that what they cost is counted."""
        with self._database.transaction() as database:
            _close_abandoned(database, "")

    def sum_run(self, run: str) -> float:
        """Return what a run, or a series of lessons, has cost so far, in US dollars."""
        rows = self._database.fetch_rows("SELECT sum(cost_usd) FROM spending WHERE run = ?", (run,))
        return float(rows[0][0] or 0)

    def sum_spending(self, within: float = DAY) -> float:
        """Return the US dollars that all runs spent or reserved in the last `within` seconds."""
        since = self._now() - within
        rows = self._database.fetch_rows(
            "SELECT sum(cost_usd) FROM spending WHERE started > ?", (since,)
        )
        return float(rows[0][0] or 0.0)


def _is_believable(entry: Entry, usage: Usage) -> bool:
    """Return whether a bill can be true."""
    most = math.inf if entry.allowance is None else entry.allowance + _OVERSHOOT_USD
    counts = (
        *(usage.input_tokens, usage.output_tokens),
        *(usage.cache_read_tokens, usage.cache_write_tokens),
    )
    return (
        math.isfinite(usage.cost_usd)
        and 0 <= usage.cost_usd <= most
        and all(0 <= count < _MOST_TOKENS for count in counts)
    )


def _find_allowance(
    database: Database, run: str, caps: Caps, wanted: float | None, now: float
) -> tuple[float | None, bool]:
    """Return the narrowest of all limits in US dollars, and whether it is that of a day."""
    left_of_run = _require_run_budget(database, run, caps)
    left_of_day = _require_day_budget(database, caps, now)
    own = min((each for each in (left_of_run, wanted) if each is not None), default=None)
    by_day = left_of_day is not None and (own is None or left_of_day < own)
    return (left_of_day if by_day else own), by_day


def _require_run_budget(database: Database, run: str, caps: Caps) -> float | None:
    """Return what a run's own limit leaves, in US dollars; None for no limit.

    Only the ledger knows what killed attempts have cost: the run's record has no bill of them.
    """
    if caps.cost_usd_per_run is None:
        return None
    rows = database.fetch_rows("SELECT sum(cost_usd) FROM spending WHERE run = ?", (run,))
    spent = float(rows[0][0] or 0.0)
    if spent < caps.cost_usd_per_run:
        return caps.cost_usd_per_run - spent
    raise CapReachedError(
        f"the run's cost limit is used up: ${spent:.2f} of ${caps.cost_usd_per_run:.2f}, with an "
        "estimate for interrupted attempts",
        "raise it with `orchestrator resume --max-cost-usd`",
    )


def _require_day_budget(database: Database, caps: Caps, now: float) -> float | None:
    """Return what the limit of a day leaves, in US dollars; None for no limit."""
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
        f"or raise limits.max_cost_usd_per_day ({spent:.2f} used)",
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
            f"{format_count(len(rows), 'agent was', 'agents were')} started within an hour, "
            "all runs together",
            f"{_describe_reset(rows, caps.agent_starts_per_hour - 1, now, HOUR)}; "
            f"or raise limits.max_agent_starts_per_hour ({len(rows)} used)",
        )


def _require_webhook(database: Database, caps: Caps, now: float) -> None:
    """Keep the webhook's own limits: a workflow may start the runs that call it, without end."""
    rows = database.fetch_rows(
        "SELECT started, cost_usd FROM spending WHERE kind = ? AND started > ?",
        (Kind.WEBHOOK, now - DAY),
    )
    requests = sum(started > now - HOUR for started, _ in rows)
    most_requests, most_cost = caps.webhook_requests_per_hour, caps.webhook_cost_usd_per_day
    if most_requests is not None and requests >= most_requests:
        raise CapReachedError(
            f"{format_count(requests, 'request')} went to the webhook within an hour; that looks "
            "like workflows that call each other",
            "find what starts the runs, or raise n8n.max_requests_per_hour",
        )
    spent = sum(cost for _, cost in rows)
    if most_cost is not None and spent >= most_cost:
        raise CapReachedError(
            f"the webhook teacher cost ${spent:.2f} within a day",
            "find what starts the runs, or raise n8n.max_cost_usd_per_day",
        )


def _require_tokens(database: Database, run: str, caps: Caps) -> None:
    if caps.tokens_per_run is None:
        return
    rows = database.fetch_rows("SELECT sum(tokens) FROM spending WHERE run = ?", (run,))
    if (used := int(rows[0][0] or 0)) >= caps.tokens_per_run:
        raise CapReachedError(
            f"the run's token limit is used up: {used:,} of {caps.tokens_per_run:,}",
            f"start a new run, or raise limits.max_tokens ({used} used)",
        )


def _describe_reset(rows: Sequence[Row], bound: float, now: float, window: float) -> str:
    """Return when the rows, the oldest first, sum up to at most `bound` within the window."""
    left = sum(cost for _, cost, _ in rows)
    for started, cost, closed in rows:
        if not closed:
            return "free again when these runs end their attempts"
        left -= cost
        if left <= bound + 1e-9:  # sums of floats differ in the last digits
            return f"free again {format_moment(started + window, now)}"
    return "the limit is too low for any attempt"


def format_moment(moment: float, now: float) -> str:
    """Return `at 15:04`, or `on Sat 21 Nov at 15:04` on another day, in the local time zone."""
    then, today = (datetime.fromtimestamp(each).astimezone() for each in (moment, now))
    day = "" if then.date() == today.date() else f"on {then:%a %d %b} "
    return f"{day}at {then:%H:%M}"


def _close_abandoned(database: Database, run: str) -> None:
    """Close the entries whose bill will never arrive.

    Whether a process on another machine is alive cannot be seen from here. But one process at a
    time carries a run, so what another machine opened for this one is over.
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
    """Close an entry at the highest known bill of its kind, at most what was reserved."""
    rows = database.fetch_rows(
        "SELECT kind, cost_usd FROM spending WHERE id = ? AND closed = 0", (identity,)
    )
    for kind, reserved in rows:
        ((highest,),) = database.fetch_rows(
            "SELECT max(cost_usd) FROM spending WHERE closed = 1 AND tokens > 0 AND kind = ?",
            (kind,),
        )
        estimate = reserved * _UNKNOWN_SHARE if highest is None else min(reserved, highest)
        database.write(
            "UPDATE spending SET closed = 1, cost_usd = ? WHERE id = ?", (estimate, identity)
        )
