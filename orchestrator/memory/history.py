"""The history behind a rulebook: every rule that was ever in it or turned away, and its outcomes.

`rules.db` in the state directory; a rulebook is known by the real path of its file. The file is
what is in force; this follows it (`reconcile`), and remembers what a file cannot.
"""

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.memory.records import (
    Counters,
    Origin,
    Proposal,
    RuleEvent,
    RuleRecord,
    Status,
)
from orchestrator.models import Rule
from orchestrator.store import STATE_VARIABLE
from teacher.models import RuleText

_MIGRATIONS: Final = (
    """
    CREATE TABLE rules (
        book TEXT NOT NULL, id TEXT NOT NULL,
        rule TEXT NOT NULL, whenever TEXT NOT NULL, why TEXT NOT NULL, source TEXT NOT NULL,
        status TEXT NOT NULL, reason TEXT NOT NULL, origin TEXT NOT NULL, proposal TEXT NOT NULL,
        learned TEXT NOT NULL, mattered TEXT NOT NULL, suggestion TEXT NOT NULL,
        PRIMARY KEY (book, id)
    );
    CREATE TABLE events (
        book TEXT NOT NULL, rule TEXT NOT NULL, at TEXT NOT NULL,
        what TEXT NOT NULL, detail TEXT NOT NULL
    );
    CREATE INDEX events_of_a_rule ON events (book, rule);
    CREATE TABLE attempts (
        book TEXT NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL,
        at TEXT NOT NULL, solved INTEGER, failure TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (book, run, number)
    );
    CREATE TABLE exposures (
        book TEXT NOT NULL, run TEXT NOT NULL, number INTEGER NOT NULL, rule TEXT NOT NULL,
        PRIMARY KEY (book, run, number, rule)
    );
    CREATE INDEX exposures_of_a_rule ON exposures (book, rule);
    """,
    """
    ALTER TABLE rules ADD COLUMN paths TEXT NOT NULL DEFAULT '[]';
    UPDATE rules SET origin =
        json_set(origin, '$.summary', json_extract(origin, '$.cases'), '$.cases', json('[]')),
        proposal = json_remove(proposal, '$.diff');
    CREATE TABLE agreed (
        book TEXT NOT NULL, rule TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (book, rule)
    );
    """,
)
"""Applied in order; `PRAGMA user_version` counts those that were."""

_COUNT: Final = """
    SELECT count(DISTINCT CASE WHEN a.solved IS NOT NULL THEN a.run END),
           count(DISTINCT CASE WHEN a.number = 1 AND a.solved THEN a.run END),
           count(CASE WHEN a.failure != '' AND a.failure = :failure THEN 1 END)
    FROM exposures e JOIN attempts a USING (book, run, number)
    WHERE e.book = :book AND e.rule = :rule
"""
_SELECT: Final = (
    "SELECT id, rule, whenever, why, source, status, reason, origin, proposal, learned, mattered,"
    " suggestion, paths FROM rules WHERE book = ?"
)


def _now() -> datetime:
    return datetime.now(UTC)


class History:
    """What is remembered of one rulebook.

    Args:
        directory: the state directory.
        book: the rulebook's file, by its real path.
        now: gives the time, with its zone.

    Raises:
        InfrastructureError: the state directory cannot be used.
    """

    def __init__(self, directory: Path, book: Path, now: Callable[[], datetime] = _now) -> None:
        self.book, self.now = str(book), now
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Events of one run can come from more than one thread, never two at a time.
            self._database = sqlite3.connect(
                directory / "rules.db", timeout=30, isolation_level=None, check_same_thread=False
            )
            self._migrate(directory)
        except (OSError, sqlite3.Error) as error:
            raise InfrastructureError(
                f"the state directory {directory} cannot be used: {error}",
                f"free space there, or set {STATE_VARIABLE}",
            ) from error

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    # ---- reading

    def all(self) -> list[RuleRecord]:
        """Every rule, in the order in which they were learned."""
        rows = self._database.execute(f"{_SELECT} ORDER BY learned, rowid", (self.book,))
        return [self._record(row) for row in rows.fetchall()]

    def get(self, rule: str) -> RuleRecord:
        """Find a rule by its id, or the beginning of it.

        Raises:
            UsageError: there is none, or more than one.
        """
        found = [record for record in self.all() if record.rule.id.startswith(rule)]
        found = [record for record in found if record.rule.id == rule] or found
        if len(found) != 1 or not rule:
            ids = ", ".join(record.rule.id for record in found[:4])
            what = f"{rule} is the beginning of several rules: {ids}" if found else ""
            raise UsageError(what or f"there is no rule {rule}", "`orchestrator rules list --all`")
        return found[0]

    def find(self, rule: str) -> RuleRecord | None:
        """The rule with exactly this id."""
        row = self._database.execute(f"{_SELECT} AND id = ?", (self.book, rule)).fetchone()
        return self._record(row) if row else None

    def events(self, rule: str) -> list[RuleEvent]:
        """What happened to a rule, the oldest first."""
        rows = self._database.execute(
            "SELECT at, what, detail FROM events WHERE book = ? AND rule = ? ORDER BY rowid",
            (self.book, rule),
        )
        return [RuleEvent(datetime.fromisoformat(at), what, said) for at, what, said in rows]

    # ---- what happens to rules

    def note(self, rule: str, what: str, detail: str = "") -> None:
        """Remember that something happened to a rule."""
        with self._transaction():
            self._event(rule, what, detail)

    def learn(
        self,
        rule: Rule,
        status: Status,
        origin: Origin,
        *,
        what: str,
        reason: str = "",
        proposal: Proposal = Proposal(),  # noqa: B008 -- frozen
    ) -> None:
        """Take a rule in; one that was known by this id goes on with its history."""
        now = self.now()
        with self._transaction():
            known = self.find(rule.id)
            record = RuleRecord(
                rule,
                status,
                reason,
                origin if origin != Origin() or not known else known.origin,
                known.learned if known else now,
                now,
                known.suggestion if known else "",
                proposal,
            )
            self._put(record)
            self._event(rule.id, what, reason)

    def move(self, rule: str, status: Status, what: str, reason: str = "") -> None:
        """Give a rule another status. Raises UsageError if there is no such rule."""
        with self._transaction():
            record = self.get(rule)
            self._put(replace(record, status=status, reason=reason, mattered=self.now()))
            self._event(record.rule.id, what, reason)

    def update(self, record: RuleRecord, what: str, detail: str = "") -> None:
        """Keep a changed record, and why it changed."""
        with self._transaction():
            self._put(record)
            self._event(record.rule.id, what, detail)

    def reconcile(
        self, rules: Sequence[Rule], origins: dict[str, Origin], *, own: bool = True
    ) -> None:
        """Follow the file: people edit it, delete from it, add to it, check out other branches.

        The caller holds the rulebook's lock, and has just read `rules` from the file; `origins`
        is what their comments tell. `own` is False for a copy of the file on a branch of ours: who
        is in force is said by the project's own.
        """
        known = {record.rule.id: record for record in self.all()}
        in_file = {rule.id for rule in rules}
        for rule in rules:
            before = known.get(rule.id)
            if before is None:
                origin = origins.get(rule.id, Origin())
                self.learn(rule, Status.ACTIVE, origin, what="adopted from the file")
            elif not before.status.in_force:
                if own:
                    self.learn(rule, Status.ACTIVE, before.origin, what="back in the file")
            elif before.rule.text != _plain_text(rule.text):
                changed = replace(before, rule=rule, mattered=self.now())
                self.update(changed, "edited by hand", f"it was: {before.rule.text.rule}")
            elif before.rule.paths != rule.paths:
                was = ", ".join(before.rule.paths) or "everything"
                self.update(replace(before, rule=rule), "rescoped by hand", f"it was for: {was}")
        for record in known.values():
            if own and record.status.in_force and record.rule.id not in in_file:
                self.move(record.rule.id, Status.ARCHIVED, "retired", "deleted from the file")

    # ---- what two files agreed on

    def agreed(self) -> dict[str, RuleText]:
        """The rules that both files had when they last said the same, by id, as of then."""
        rows = self._database.execute("SELECT rule, text FROM agreed WHERE book = ?", (self.book,))
        return {rule: RuleText(*json.loads(text)) for rule, text in rows.fetchall()}

    def agree(self, rules: Mapping[str, RuleText]) -> None:
        """Remember the rules that both files have now."""
        with self._transaction():
            self._database.execute("DELETE FROM agreed WHERE book = ?", (self.book,))
            self._database.executemany(
                "INSERT INTO agreed VALUES (?, ?, ?)",
                [
                    (self.book, rule, json.dumps([text.rule, text.when, text.why]))
                    for rule, text in rules.items()
                ],
            )

    # ---- outcomes

    def expose(self, run: str, number: int, rules: Iterable[str]) -> None:
        """Remember which rules are in force for an attempt that begins."""
        with self._transaction():
            key = (self.book, run, number)
            self._database.execute(
                "INSERT OR IGNORE INTO attempts (book, run, number, at) VALUES (?, ?, ?, ?)",
                (*key, self.now().isoformat()),
            )
            self._database.executemany(
                "INSERT OR IGNORE INTO exposures VALUES (?, ?, ?, ?)",
                [(*key, rule) for rule in rules],
            )

    def expose_also(self, run: str, rules: Iterable[str]) -> None:
        """Remember rules that came into force in the attempt in hand."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR IGNORE INTO exposures SELECT book, run, max(number), ?3 FROM attempts"
                " WHERE book = ?1 AND run = ?2 HAVING max(number) IS NOT NULL",
                [(self.book, run, rule) for rule in rules],
            )

    def failed(self, run: str, failure: str) -> list[RuleRecord]:
        """Remember how the attempt in hand failed; give the rules in force that it recurs on."""
        with self._transaction():
            row = self._database.execute(
                "SELECT max(number) FROM attempts WHERE book = ? AND run = ?", (self.book, run)
            ).fetchone()
            if row[0] is None:
                return []
            key = (failure, self.book, run, row[0])
            new = self._database.execute(
                "UPDATE attempts SET failure = ?1 WHERE book = ?2 AND run = ?3 AND number = ?4"
                " AND failure != ?1",
                key,
            ).rowcount
        exposed = self.exposed(run, int(row[0]))
        return [record for record in exposed if new and failure == record.origin.failure]

    def judged(self, run: str, number: int, *, solved: bool) -> bool:
        """Remember an attempt's verdict; give whether it is news."""
        with self._transaction():
            return bool(
                self._database.execute(
                    "UPDATE attempts SET solved = ? WHERE book = ? AND run = ? AND number = ?"
                    " AND solved IS NULL",
                    (solved, self.book, run, number),
                ).rowcount
            )

    def exposed(self, run: str, number: int) -> list[RuleRecord]:
        """The rules that were in force for an attempt."""
        rows = self._database.execute(
            "SELECT rule FROM exposures WHERE book = ? AND run = ? AND number = ?",
            (self.book, run, number),
        )
        found = (self.find(rule) for (rule,) in rows.fetchall())
        return [record for record in found if record]

    def worked_since(self, moment: datetime) -> bool:
        """Whether an attempt was judged after a moment."""
        row = self._database.execute(
            "SELECT 1 FROM attempts WHERE book = ? AND solved IS NOT NULL AND at > ? LIMIT 1",
            (self.book, moment.isoformat()),
        ).fetchone()
        return row is not None

    # ---- rows

    def _event(self, rule: str, what: str, detail: str) -> None:
        self._database.execute(
            "INSERT INTO events VALUES (?, ?, ?, ?, ?)",
            (self.book, rule, self.now().isoformat(), what, _plain(detail)),
        )

    def _put(self, record: RuleRecord) -> None:
        rule, text = record.rule, record.rule.text
        origin, proposal = record.origin, record.proposal
        values = (
            *(self.book, rule.id, text.rule, text.when, text.why, rule.source),
            *(str(record.status), record.reason, json.dumps(vars(origin))),
            *(json.dumps(vars(proposal)), record.learned.isoformat()),
            *(record.mattered.isoformat(), record.suggestion, json.dumps(rule.paths)),
        )
        self._database.execute(
            f"INSERT INTO rules VALUES ({', '.join('?' * len(values))})"  # noqa: S608 -- our own
            " ON CONFLICT DO UPDATE SET rule = excluded.rule, whenever = excluded.whenever,"
            " why = excluded.why, source = excluded.source, status = excluded.status,"
            " reason = excluded.reason, origin = excluded.origin, proposal = excluded.proposal,"
            " mattered = excluded.mattered, suggestion = excluded.suggestion,"
            " paths = excluded.paths",
            tuple(map(_plain, values)),
        )

    def _record(self, row: tuple[str, ...]) -> RuleRecord:
        identity, rule, when, why, source, status, reason, origin, proposal, *rest = row
        learned, mattered, suggestion, paths = rest
        stored = json.loads(origin)
        lists = {name: tuple(stored[name]) for name in ("cases", "files")}
        came = Origin(**{**stored, **lists})
        counted = self._database.execute(
            _COUNT, {"book": self.book, "rule": identity, "failure": came.failure}
        ).fetchone()
        return RuleRecord(
            Rule(identity, RuleText(rule, when, why), source, tuple(json.loads(paths))),
            Status(status),
            reason,
            came,
            datetime.fromisoformat(learned),
            datetime.fromisoformat(mattered),
            suggestion,
            Proposal(**json.loads(proposal)),
            Counters(*counted),
        )

    def _migrate(self, directory: Path) -> None:
        self._database.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            done = int(self._database.execute("PRAGMA user_version").fetchone()[0])
            if done > len(_MIGRATIONS):
                raise InfrastructureError(
                    f"{directory} was written by a later version", "upgrade, or set another"
                )
            for script in _MIGRATIONS[done:]:
                for statement in filter(str.strip, script.split(";")):
                    self._database.execute(statement)
            self._database.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        if self._database.in_transaction:
            yield
            return
        try:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.rollback()
                raise
            self._database.commit()
        except sqlite3.Error as error:
            raise InfrastructureError(
                f"the history of rules cannot be written: {error}", "make room, then try again"
            ) from error


def _plain_text(text: RuleText) -> RuleText:
    return RuleText(_plain(text.rule), _plain(text.when), _plain(text.why))


def _plain(text: str) -> str:
    # Bytes that are not UTF-8 stay in the file; a database takes text only.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
