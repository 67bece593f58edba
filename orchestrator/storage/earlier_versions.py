"""Import the databases of earlier versions, and move their files away.

    runs.db          runs with their results
    rules.db         rules, their events, attempts and exposures, rejected texts
    ledger.db        spending
    webhook.jsonl    requests to a webhook

Everything is written in the transaction that creates the new tables: a process that is killed on
the way leaves the old files as they were, and the next one starts again. Afterwards the old files
are moved to `<state>/earlier/`, where `orchestrator runs prune` removes them in due course.
"""

import json
import math
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from orchestrator.errors import InfrastructureError
from orchestrator.models import RunOutcome, RunResult
from orchestrator.models.fingerprints import hash_words
from orchestrator.platform import atomic, files
from orchestrator.platform.liveness import read_start_time
from orchestrator.storage import codec
from orchestrator.storage.database import Database
from orchestrator.storage.packing import pack_result
from orchestrator.storage.result_rows import write_result_rows
from orchestrator.storage.state_directory import build_state_error

EARLIER: Final = "earlier"
_RUNS, _RULES, _LEDGER, _WEBHOOK = "runs.db", "rules.db", "ledger.db", "webhook.jsonl"
_KNOWN: Final = {_RUNS: (1,), _RULES: (1, 2)}
"""The versions of each database that can be imported."""

_DAY_SECONDS: Final = 86_400.0
_CLOCK_SECONDS: Final = 1.0
"""How far the clock of a file system may be ahead of the machine's."""
_MOST_REQUESTS: Final = 1000
"""Most requests of one entry that are imported. Entries were written for one request each, so a
larger number is damage."""

Record = Mapping[str, Any]


def import_earlier_data(database: Database) -> None:
    """Import the data of earlier versions, in a transaction of the caller.

    Raises:
        InfrastructureError: a run of an earlier version is active, or a file cannot be read.
    """
    try:
        _import_databases(database)
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise InfrastructureError(
            f"the data of an earlier version in {database.directory} cannot be read: {error!r}",
            f"move {_RUNS}, {_RULES} and {_LEDGER} away to start without it",
        ) from error


def _import_databases(database: Database) -> None:
    with _open_database(database.directory, _RUNS) as runs:
        if runs:
            _require_idle(runs)
            for each in runs.execute("SELECT * FROM runs ORDER BY rowid"):
                _import_run(database, each)
    with _open_database(database.directory, _RULES) as rules:
        if rules:
            _import_rules(database, rules)
    with _open_database(database.directory, _LEDGER) as ledger:
        if ledger:
            _import_spending(database, ledger)
    _import_webhook_requests(database, database.directory / _WEBHOOK)


def archive_earlier_files(database: Database) -> None:
    """Move the imported files of earlier versions to `EARLIER`.

    A file that a program of an earlier version has written since was not imported like that, and is
    left where it is.

    Raises:
        InfrastructureError: they cannot be moved.
    """
    state = database.directory
    ((imported,),) = database.fetch_rows("SELECT at FROM schema_version")
    try:
        for name in (_RUNS, _RULES, _LEDGER, _WEBHOOK):
            path = state / name
            if not files.exists(path) or path.stat().st_mtime > imported + _CLOCK_SECONDS:
                continue
            # The database last: while it is there, the next process finishes an incomplete move.
            for path in (state / f"{name}-wal", state / f"{name}-shm", state / name):
                if files.exists(path):
                    (state / EARLIER).mkdir(exist_ok=True, mode=0o700)
                    atomic.move_path(path, state / EARLIER / path.name)
    except OSError as error:
        raise build_state_error(state, error) from error


@contextmanager
def _open_database(state: Path, name: str) -> Iterator[sqlite3.Connection | None]:
    """Open a database of an earlier version; None if there is none."""
    path = state / name
    if not files.is_file(path):
        yield None
        return
    try:
        with closing(sqlite3.connect(path, timeout=30, isolation_level=None)) as connection:
            connection.row_factory = sqlite3.Row
            connection.execute("BEGIN IMMEDIATE")  # nobody writes while it is read
            version = connection.execute("PRAGMA user_version").fetchone()[0]
            if name in _KNOWN and version not in _KNOWN[name]:
                raise InfrastructureError(
                    f"{path} was written by an unknown version",
                    "upgrade orchestrator, or move the file away",
                )
            yield connection
            connection.execute("ROLLBACK")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise InfrastructureError(
            f"{path} of an earlier version cannot be imported: {error}",
            f"move {name} away to start without it",
        ) from error


def _require_idle(runs: sqlite3.Connection) -> None:
    """Check that no run of an earlier version is active: it would go on writing to its files.

    Raises:
        InfrastructureError: one is active.
    """
    for each in runs.execute("SELECT id, process, started FROM runs WHERE outcome = 'running'"):
        started = datetime.fromisoformat(each["started"]).timestamp()
        # A process that has the number now, but started after the run did, is another one.
        if each["process"] != os.getpid() and 0 < read_start_time(each["process"]) <= started:
            raise InfrastructureError(
                f"run {each['id']} of an earlier version is still active",
                "wait for its end, or end it with Ctrl-C, then try again",
            )


def _import_run(database: Database, run: Record) -> None:
    # Checked now: a value that cannot be parsed would later break every list of runs.
    datetime.fromisoformat(run["started"])
    RunOutcome(run["outcome"])
    result = _read_result(run["result"])
    usage = result.usage if result else None
    database.write(
        "INSERT INTO runs (id, task, project, config, started, ended, outcome, message, attempts,"
        " cost_usd, tokens, process, process_started, token, format)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, -1, 1, '1')",
        (
            *(run["id"], run["task"], run["project"], run["config"], run["started"], run["ended"]),
            *(run["outcome"], result.message if result else ""),
            len(result.attempts) if result else 0,
            usage.cost_usd if usage else 0.0,
            usage.tokens if usage else 0,
            run["process"],
        ),
    )
    if result:
        database.write(
            "INSERT INTO results VALUES (?, ?)", (run["id"], pack_result(codec.dumps(result)))
        )
        write_result_rows(database, run["id"], result, run["ended"] or run["started"])


def _read_result(text: str | None) -> RunResult | None:
    """Return a stored result; None if this version cannot read it."""
    with suppress(ValueError, KeyError, TypeError):
        result = codec.loads(text) if text else None
        return result if isinstance(result, RunResult) else None
    return None


_COPIES: Final = (
    (
        "SELECT * FROM events ORDER BY rowid",
        "INSERT INTO rule_events (book, rule, at, what, detail) VALUES (?, ?, ?, ?, ?)",
    ),
    (
        "SELECT book, run, number, at, solved, failure FROM attempts",
        "INSERT INTO attempts (book, run, number, at, solved, failure)"
        " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (run, number) DO UPDATE SET"
        " book = excluded.book, at = excluded.at, solved = excluded.solved,"
        " failure = excluded.failure",
    ),
    (
        "SELECT e.book, e.run, e.number, e.rule,"
        " a.failure != '' AND a.failure = json_extract(r.origin, '$.failure')"
        " FROM exposures e JOIN attempts a USING (book, run, number)"
        " LEFT JOIN rules r ON r.book = e.book AND r.id = e.rule",
        "INSERT INTO exposures (book, run, attempt, rule, recurred)"
        " VALUES (?, ?, ?, ?, coalesce(?, 0))",
    ),
)
"""Queries of the tables of `rules.db`, and the statement that writes each of their rows here."""

_LATER_COPIES: Final = (
    ("SELECT book, rule, text FROM agreed", "INSERT INTO agreed VALUES (?, ?, ?)"),
    (
        "SELECT book, fingerprint, rule, text, at FROM refusals ORDER BY rowid",
        "INSERT INTO refusals (book, fingerprint, rule, text, at) VALUES (?, ?, ?, ?, ?)",
    ),
)
"""The same for tables that the first version of `rules.db` lacks."""


def _import_rules(database: Database, rules: sqlite3.Connection) -> None:
    later = rules.execute("PRAGMA user_version").fetchone()[0] > 1
    for each in rules.execute("SELECT * FROM rules ORDER BY rowid"):
        _import_rule(database, dict(each), later=later)
    for query, statement in (*_COPIES, *(_LATER_COPIES if later else ())):
        for each in rules.execute(query):
            database.write(statement, tuple(each))


def _import_rule(database: Database, rule: dict[str, Any], *, later: bool) -> None:
    origin, proposal = json.loads(rule["origin"]), json.loads(rule["proposal"])
    if not later:  # the first version had one text for all cases, and stored a proposal's diff
        origin |= {"summary": origin.get("cases", ""), "cases": []}
        proposal.pop("diff", None)
    text = json.dumps([rule["rule"], rule["whenever"], rule["why"]])
    values = rule | {
        "origin": json.dumps(origin),
        "proposal": json.dumps(proposal),
        "paths": rule.get("paths", "[]"),
    }
    database.write(
        f"INSERT INTO rules ({', '.join(values)})"  # noqa: S608 -- columns of our own tables
        f" VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )
    text_hash = hash_words(rule["rule"], rule["whenever"], rule["why"])
    database.write(
        "INSERT INTO rule_texts VALUES (?, ?, 1, ?, ?, ?)",
        (rule["book"], rule["id"], rule["learned"], text_hash, text),
    )


def _import_spending(database: Database, ledger: sqlite3.Connection) -> None:
    found = ledger.execute("SELECT name FROM sqlite_master WHERE name = 'spending'").fetchone()
    for each in ledger.execute("SELECT * FROM spending ORDER BY id") if found else ():
        database.write(
            "INSERT INTO spending (run, kind, started, closed, cost_usd, tokens, process,"
            " process_started) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(each["run"], "agent" if each["agent"] else "lesson", each["begun"]),
                *(each["settled"], each["cost_usd"], each["tokens"]),
                *(each["process"], each["process_started"]),
            ),
        )


def _import_webhook_requests(database: Database, path: Path) -> None:
    """Import the requests to a webhook; their cost is among the lessons of the ledger."""
    for line in files.read_text(path).splitlines():
        with suppress(ValueError, KeyError, TypeError, OverflowError):
            entry = json.loads(line)
            if not time.time() - _DAY_SECONDS < entry["at"] < math.inf:
                continue  # only the last day counts
            for _ in range(min(int(entry["requests"]), _MOST_REQUESTS)):
                database.write(
                    "INSERT INTO spending (run, kind, started, closed, cost_usd, process,"
                    " process_started) VALUES ('', 'webhook', ?, 1, 0, 0, 0)",
                    (float(entry["at"]),),
                )
