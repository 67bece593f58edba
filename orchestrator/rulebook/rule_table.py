"""The database tables of rules: their records, their texts, and what happened to them."""

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from orchestrator.models import Rule
from orchestrator.rulebook.records import (
    Counters,
    Origin,
    Proposal,
    Refusal,
    RuleEvent,
    RuleEventKind,
    RuleRecord,
    Status,
    hash_text,
)
from orchestrator.storage.database import Database, Row
from teacher.models import RuleText

_COLUMNS: Final = (
    "id, rule, whenever, why, source, status, reason, origin, proposal, learned, mattered,"
    " suggestion, paths"
)
_LISTS: Final = ("cases", "files", "case_fingerprints")
_SELECT: Final = f"""
    SELECT {_COLUMNS}, runs, first_passes, recurrences
    FROM rules r LEFT JOIN (
        SELECT e.rule AS exposed,
               count(DISTINCT CASE WHEN a.solved IS NOT NULL THEN a.run END) AS runs,
               count(DISTINCT CASE WHEN a.number = 1 AND a.solved = 1 THEN a.run END)
                   AS first_passes,
               count(CASE WHEN e.recurred = 1 THEN 1 END) AS recurrences
        FROM exposures e JOIN attempts a ON a.run = e.run AND a.number = e.attempt
        WHERE e.book = ? AND e.witness != 'none' %s
        GROUP BY e.rule
    ) c ON c.exposed = r.id
    WHERE r.book = ? %s
    ORDER BY r.learned, r.position
"""  # noqa: S608 -- our own names
_SELECT_ALL: Final = _SELECT % ("", "")
_SELECT_ONE: Final = _SELECT % ("AND e.rule = ?", "AND r.id = ?")
"""Rules with their counters, in one statement."""


class RuleTable:
    """Reads and writes the rules of one rulebook.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the database.
        book: the rulebook's file, by its real path.
        now: returns the time, with its zone.
    """

    def __init__(self, database: Database, book: str, now: Callable[[], datetime]) -> None:
        self._database, self._book, self._now = database, book, now

    def fetch_records(self) -> list[RuleRecord]:
        """Return every rule, in the order in which they were learned."""
        rows = self._database.fetch_rows(_SELECT_ALL, (self._book, self._book))
        with self._database.explain_damage():
            return [_parse_row(row) for row in rows]

    def fetch_record(self, rule: str) -> RuleRecord | None:
        """Return the rule with exactly this id."""
        rows = self._database.fetch_rows(_SELECT_ONE, (self._book, rule, self._book, rule))
        with self._database.explain_damage():
            return _parse_row(rows[0]) if rows else None

    def fetch_events(self, rule: str) -> list[RuleEvent]:
        """Return what happened to a rule, the oldest first."""
        rows = self._database.fetch_rows(
            "SELECT at, what, detail FROM rule_events WHERE book = ? AND rule = ?"
            " ORDER BY position",
            (self._book, rule),
        )
        with self._database.explain_damage():
            return [RuleEvent(datetime.fromisoformat(at), *rest) for at, *rest in rows]

    def insert_event(self, rule: str, what: RuleEventKind, detail: str) -> None:
        """Record that something happened to a rule."""
        self._database.write(
            "INSERT INTO rule_events (book, rule, at, what, detail) VALUES (?, ?, ?, ?, ?)",
            (self._book, rule, self._now().isoformat(), what, detail),
        )

    def store_record(self, record: RuleRecord) -> None:
        """Insert or update a rule, with its text as a new version if it has not had it before."""
        rule, text = record.rule, record.rule.text
        origin, proposal = record.origin, record.proposal
        values = (
            *(self._book, rule.id, text.rule, text.when, text.why, rule.source),
            *(str(record.status), record.reason, json.dumps(vars(origin))),
            *(json.dumps(vars(proposal)), record.learned.isoformat()),
            *(record.mattered.isoformat(), record.suggestion, json.dumps(rule.paths)),
        )
        with self._database.transaction():
            self._database.write(
                f"INSERT INTO rules (book, {_COLUMNS})"  # noqa: S608 -- our own names
                f" VALUES ({', '.join('?' * len(values))})"
                " ON CONFLICT (book, id) DO UPDATE SET rule = excluded.rule,"
                " whenever = excluded.whenever, why = excluded.why, source = excluded.source,"
                " status = excluded.status, reason = excluded.reason, origin = excluded.origin,"
                " proposal = excluded.proposal, mattered = excluded.mattered,"
                " suggestion = excluded.suggestion, paths = excluded.paths",
                values,
            )
            self._store_text(rule)

    def _store_text(self, rule: Rule) -> None:
        """Keep a text that the rule has not had before as its newest version."""
        mark = hash_text(rule.text)
        rows = self._database.fetch_rows(
            "SELECT version, hash FROM rule_texts WHERE book = ? AND rule = ?"
            " ORDER BY version DESC LIMIT 1",
            (self._book, rule.id),
        )
        version, newest = rows[0] if rows else (0, "")
        if newest != mark:
            text = _dump_text(rule.text)
            self._database.write(
                "INSERT INTO rule_texts VALUES (?, ?, ?, ?, ?, ?)",
                (self._book, rule.id, version + 1, self._now().isoformat(), mark, text),
            )

    # ---- refusals

    def fetch_refusals(self) -> list[Refusal]:
        """Return the texts that were rejected or withdrawn, the newest at the end."""
        rows = self._database.fetch_rows(
            "SELECT rule, text FROM refusals WHERE book = ? ORDER BY at, position", (self._book,)
        )
        with self._database.explain_damage():
            return [Refusal(rule, _load_text(text)) for rule, text in rows]

    def insert_refusal(self, fingerprint: str, refusal: Refusal) -> None:
        """Record that a text must not return by itself."""
        self._database.write(
            "INSERT INTO refusals (book, fingerprint, rule, text, at) VALUES (?, ?, ?, ?, ?)",
            (
                *(self._book, fingerprint, refusal.rule),
                *(_dump_text(refusal.text), self._now().isoformat()),
            ),
        )

    def delete_refusal(self, fingerprint: str) -> None:
        """Delete the refusal of a text, by its fingerprint."""
        self._database.write(
            "DELETE FROM refusals WHERE book = ? AND fingerprint = ?", (self._book, fingerprint)
        )

    # ---- mirrored files

    def fetch_agreed_rules(self) -> dict[str, RuleText]:
        """Return the rules that both mirrored files had when they were last equal, by id."""
        rows = self._database.fetch_rows(
            "SELECT rule, text FROM agreed WHERE book = ?", (self._book,)
        )
        with self._database.explain_damage():
            return {rule: _load_text(text) for rule, text in rows}

    def replace_agreed_rules(self, rules: Mapping[str, RuleText]) -> None:
        """Replace what `fetch_agreed_rules` returns."""
        with self._database.transaction():
            self._database.write("DELETE FROM agreed WHERE book = ?", (self._book,))
            self._database.write_many(
                "INSERT INTO agreed VALUES (?, ?, ?)",
                [(self._book, rule, _dump_text(text)) for rule, text in rules.items()],
            )


def _dump_text(text: RuleText) -> str:
    return json.dumps([text.rule, text.when, text.why])


def _load_text(stored: str) -> RuleText:
    return RuleText(*json.loads(stored))


def _parse_row(row: Row) -> RuleRecord:
    identity, rule, when, why, source, status, reason, origin, proposal, *rest = row
    learned, mattered, suggestion, paths, runs, first_passes, recurrences = rest
    stored = json.loads(origin)
    lists = {name: tuple(stored.get(name, ())) for name in _LISTS}
    return RuleRecord(
        Rule(identity, RuleText(rule, when, why), source, tuple(json.loads(paths))),
        Status(status),
        reason,
        Origin(**{**stored, **lists}),
        datetime.fromisoformat(learned),
        datetime.fromisoformat(mattered),
        suggestion,
        Proposal(**json.loads(proposal)),
        Counters(runs or 0, first_passes or 0, recurrences or 0),
    )
