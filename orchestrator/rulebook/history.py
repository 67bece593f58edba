"""The history behind a rulebook: every rule that was ever in it or turned away, and its outcomes.

A rulebook is known by the real path of its file. The file is what is in force; this follows it
(`reconcile`), and remembers what a file cannot: each text that a rule had, where it came from, and
the attempts that it was in force for.
"""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.models import Rule
from orchestrator.rulebook.preflight import fingerprint_text
from orchestrator.rulebook.records import (
    Counters,
    Exposure,
    Origin,
    Proposal,
    Refusal,
    RuleEvent,
    RuleEventKind,
    RuleRecord,
    Status,
    Witness,
    describe_difference,
    hash_text,
)
from orchestrator.rulebook.suggested_checks import replace_rule
from orchestrator.storage.database import Database, Row, normalize_text
from teacher.models import RuleText

_DELETED_REASON: Final = "deleted from the file"
_OTHER_BRANCH_REASON: Final = "it may stand on another branch; a failure may teach it again"
_REFUSED_REASON: Final = "it was turned down before"
_STATUS_BY_EVENT: Final = {
    RuleEventKind.RETIRED.value: Status.ARCHIVED,
    RuleEventKind.REJECTED.value: Status.REJECTED,
}
"""What a person may have said of a rule, and what it is then."""

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


def _current_time() -> datetime:
    return datetime.now(UTC)


class History:
    """What is remembered of one rulebook.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the record.
        book: the rulebook's file, by its real path.
        now: gives the time, with its zone.
    """

    def __init__(
        self, database: Database, book: Path, now: Callable[[], datetime] = _current_time
    ) -> None:
        self.book, self.now = str(book), now
        self._database = database

    # ---- reading

    def list_records(self) -> list[RuleRecord]:
        """Every rule, in the order in which they were learned."""
        rows = self._database.fetch_rows(_SELECT_ALL, (self.book, self.book))
        return [_parse_row(row) for row in rows]

    def resolve_record(self, rule: str) -> RuleRecord:
        """Find a rule by its id, or the beginning of it.

        Raises:
            UsageError: there is none, or more than one.
        """
        if exact := self.find_record(rule):
            return exact
        found = [record for record in self.list_records() if record.rule.id.startswith(rule)]
        if len(found) != 1 or not rule:
            ids = ", ".join(record.rule.id for record in found[:4])
            several = f"{rule} is the beginning of several rules: {ids}"
            none = f"there is no rule {rule}" if rule else "the rule's id is empty"
            raise UsageError(
                several if found and rule else none, "see `orchestrator rules list --all`"
            )
        return found[0]

    def find_record(self, rule: str) -> RuleRecord | None:
        """The rule with exactly this id."""
        rows = self._database.fetch_rows(_SELECT_ONE, (self.book, rule, self.book, rule))
        return _parse_row(rows[0]) if rows else None

    def list_events(self, rule: str) -> list[RuleEvent]:
        """What happened to a rule, the oldest first."""
        rows = self._database.fetch_rows(
            "SELECT at, what, detail FROM rule_events WHERE book = ? AND rule = ?"
            " ORDER BY position",
            (self.book, rule),
        )
        return [RuleEvent(datetime.fromisoformat(at), what, said) for at, what, said in rows]

    # ---- what happens to rules

    def record_event(self, rule: str, what: RuleEventKind, detail: str = "") -> None:
        """Remember that something happened to a rule."""
        self._insert_event(rule, what, detail)

    def record_rule(
        self,
        rule: Rule,
        status: Status,
        origin: Origin,
        *,
        what: RuleEventKind,
        reason: str = "",
        proposal: Proposal = Proposal(),  # noqa: B008 -- frozen
    ) -> None:
        """Take a rule in; one that was known by this id goes on with its history."""
        now = self.now()
        with self._database.transaction():
            known = self.find_record(rule.id)
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
            self._store_record(record)
            self._insert_event(rule.id, what, reason)

    def change_status(
        self, rule: str, status: Status, what: RuleEventKind, reason: str = ""
    ) -> None:
        """Give a rule another status; one that is rejected or harmful stays out from now on.

        Raises:
            UsageError: there is no such rule.
        """
        with self._database.transaction():
            record = self.resolve_record(rule)
            self._store_record(replace(record, status=status, reason=reason, mattered=self.now()))
            self._insert_event(record.rule.id, what, reason)
            if status in (Status.REJECTED, Status.HARMFUL):
                self.record_refusal(record)

    def update_record(self, record: RuleRecord, what: RuleEventKind, detail: str = "") -> None:
        """Keep a changed record, and why it changed."""
        with self._database.transaction():
            self._store_record(record)
            self._insert_event(record.rule.id, what, detail)

    def reconcile_rules(
        self,
        rules: Sequence[Rule],
        origins: dict[str, Origin],
        withdrawn: Callable[[RuleRecord], bool],
        *,
        own: bool = True,
    ) -> None:
        """Follow the file: people edit it, delete from it, add to it, check out other branches.

        The caller holds the rulebook's lock, and has just read `rules` from the file.

        Args:
            rules: those that stand in the file.
            origins: what their comments tell, by their ids.
            withdrawn: says of a rule that is missing whether a person took it out; then it stays
                out.
            own: False for a copy of the file on a branch of ours: it may bring rules, but who is
                in force is said by the project's own.
        """
        known = {record.rule.id: record for record in self.list_records()}
        for rule in rules:
            if rule.id not in known:
                origin = origins.get(rule.id, Origin())
                self.record_rule(rule, Status.ACTIVE, origin, what=RuleEventKind.ADOPTED)
            elif own:
                self._reconcile_present(known[rule.id], rule)
        in_file = {rule.id for rule in rules}
        for record in known.values():
            if own and record.status.is_active and record.rule.id not in in_file:
                refused = self._is_refused(record.rule.text)
                deleted = not refused and withdrawn(record)
                with self._database.transaction():
                    self._reconcile_missing(record, refused=refused, deleted=deleted)

    def _reconcile_missing(self, record: RuleRecord, *, refused: bool, deleted: bool) -> None:
        """Follow one rule that is not in the file any more."""
        rule = record.rule.id
        if refused:
            words = [
                event.what for event in self.list_events(rule) if event.what in _STATUS_BY_EVENT
            ]
            status = _STATUS_BY_EVENT[words[-1]] if words else Status.ARCHIVED
            self.change_status(rule, status, RuleEventKind.LEFT_FILE, _REFUSED_REASON)
        elif deleted:
            self.record_refusal(record)
            self.change_status(rule, Status.ARCHIVED, RuleEventKind.RETIRED, _DELETED_REASON)
        else:
            self.change_status(rule, Status.ARCHIVED, RuleEventKind.LEFT_FILE, _OTHER_BRANCH_REASON)

    def _reconcile_present(self, before: RuleRecord, rule: Rule) -> None:
        """Follow one rule that stands in the file."""
        if not before.status.is_active:
            # It may be a person's word, or a look at another branch; what was known of it is so.
            if before.reason == _DELETED_REASON:
                self.delete_refusal(before.rule.text)
            back = replace(before, rule=rule, status=before.status_when_restored, reason="")
            self.update_record(replace(back, mattered=self.now()), RuleEventKind.RETURNED)
        elif was := describe_difference(
            before.rule, replace(rule, text=_encode_stored_text(rule.text))
        ):
            changed = replace(replace_rule(before, rule), mattered=self.now())
            self.update_record(changed, RuleEventKind.EDITED_IN_FILE, was)

    # ---- what was turned down or withdrawn

    def list_refusals(self) -> list[Refusal]:
        """The rules that stay out, the one that was turned down last at the end."""
        rows = self._database.fetch_rows(
            "SELECT rule, text FROM refusals WHERE book = ? ORDER BY at, position", (self.book,)
        )
        return [Refusal(rule, RuleText(*json.loads(text))) for rule, text in rows]

    def delete_refusal(self, text: RuleText) -> None:
        """Forget that a text was turned down: a person wants it after all."""
        self._database.write(
            "DELETE FROM refusals WHERE book = ? AND fingerprint = ?",
            (self.book, fingerprint_text(text)),
        )

    def record_refusal(self, record: RuleRecord) -> None:
        """Keep a rule's text out from now on, until somebody allows it."""
        text = record.rule.text
        with self._database.transaction():
            self.delete_refusal(text)  # it is turned down anew, and comes last
            self._database.write(
                "INSERT INTO refusals (book, fingerprint, rule, text, at) VALUES (?, ?, ?, ?, ?)",
                (
                    *(self.book, fingerprint_text(text), record.rule.id),
                    *(json.dumps([text.rule, text.when, text.why]), self.now().isoformat()),
                ),
            )

    def _is_refused(self, text: RuleText) -> bool:
        return any(
            fingerprint_text(refused.text) == fingerprint_text(text)
            for refused in self.list_refusals()
        )

    # ---- what two files agreed on

    def read_agreed_rules(self) -> dict[str, RuleText]:
        """The rules that both files had when they last said the same, by id, as of then."""
        rows = self._database.fetch_rows(
            "SELECT rule, text FROM agreed WHERE book = ?", (self.book,)
        )
        return {rule: RuleText(*json.loads(text)) for rule, text in rows}

    def record_agreed_rules(self, rules: Mapping[str, RuleText]) -> None:
        """Remember the rules that both files have now."""
        with self._database.transaction():
            self._database.write("DELETE FROM agreed WHERE book = ?", (self.book,))
            self._database.write_many(
                "INSERT INTO agreed VALUES (?, ?, ?)",
                [
                    (self.book, rule, json.dumps([text.rule, text.when, text.why]))
                    for rule, text in rules.items()
                ],
            )

    # ---- outcomes

    def record_exposures(self, run: str, number: int, rules: Iterable[Exposure]) -> None:
        """Remember with which rules an attempt was made.

        What is said last of a rule counts, except that what only stands in a file takes nothing
        back that a transcript told.
        """
        with self._database.transaction():
            self._database.write(
                "INSERT INTO attempts (run, number, book, at) VALUES (?, ?, ?, ?)"
                " ON CONFLICT (run, number) DO UPDATE SET book = excluded.book",
                (run, number, self.book, self.now().isoformat()),
            )
            self._database.write_many(
                "INSERT INTO exposures (book, run, attempt, rule, text_hash, witness)"
                " VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (book, run, attempt, rule) DO UPDATE"
                " SET text_hash = excluded.text_hash, witness = excluded.witness"
                " WHERE exposures.witness IN ('', ?) OR excluded.witness != ?",
                [
                    (
                        *(self.book, run, number, each.rule_id, each.text_hash, each.witness),
                        *(Witness.FILE, Witness.FILE),
                    )
                    for each in rules
                ],
            )

    def record_failure(
        self, run: str, failure: str, case_fingerprints: Collection[str] = ()
    ) -> list[RuleRecord]:
        """Remember how the attempt in hand failed; return the rules sent that it recurs on.

        Args:
            run: the run's id.
            failure: the fingerprint of the whole failure.
            case_fingerprints: those of its cases.
        """
        with self._database.transaction():
            number = self._find_current_attempt(run)
            if number is None:
                return []
            new = self._database.write(
                "UPDATE attempts SET failure = ? WHERE book = ? AND run = ? AND number = ?"
                " AND failure != ?",
                (failure, self.book, run, number, failure),
            )
            again = [
                record.rule.id
                for record in self.list_exposed_rules(run, number)
                if new and record.origin.is_repeated_by(failure, case_fingerprints)
            ]
            self._database.write_many(
                "UPDATE exposures SET recurred = 1"
                " WHERE book = ? AND run = ? AND attempt = ? AND rule = ?",
                [(self.book, run, number, rule) for rule in again],
            )
            return [record for rule in again if (record := self.find_record(rule))]

    def record_verdict(self, run: str, number: int, *, solved: bool) -> bool:
        """Remember an attempt's verdict; give whether it is news."""
        return bool(
            self._database.write(
                "UPDATE attempts SET solved = ? WHERE book = ? AND run = ? AND number = ?"
                " AND solved IS NULL",
                (int(solved), self.book, run, number),
            )
        )

    def list_exposed_rules(self, run: str, number: int) -> list[RuleRecord]:
        """The rules that an attempt was made with: those that were sent."""
        rows = self._database.fetch_rows(
            "SELECT rule FROM exposures WHERE book = ? AND run = ? AND attempt = ?"
            " AND witness != ?",
            (self.book, run, number, Witness.NONE),
        )
        found = (self.find_record(rule) for (rule,) in rows)
        return [record for record in found if record]

    def has_attempts_since(self, moment: datetime) -> bool:
        """Whether an attempt was judged after a moment."""
        return bool(
            self._database.fetch_rows(
                "SELECT 1 FROM attempts WHERE book = ? AND solved IS NOT NULL AND at > ? LIMIT 1",
                (self.book, moment.isoformat()),
            )
        )

    def _find_current_attempt(self, run: str) -> int | None:
        """The number of a run's newest attempt."""
        rows = self._database.fetch_rows(
            "SELECT max(number) FROM attempts WHERE book = ? AND run = ?", (self.book, run)
        )
        return int(rows[0][0]) if rows[0][0] is not None else None

    # ---- rows

    def _insert_event(self, rule: str, what: RuleEventKind, detail: str) -> None:
        self._database.write(
            "INSERT INTO rule_events (book, rule, at, what, detail) VALUES (?, ?, ?, ?, ?)",
            (self.book, rule, self.now().isoformat(), what, detail),
        )

    def _store_record(self, record: RuleRecord) -> None:
        rule, text = record.rule, record.rule.text
        origin, proposal = record.origin, record.proposal
        values = (
            *(self.book, rule.id, text.rule, text.when, text.why, rule.source),
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
            (self.book, rule.id),
        )
        version, newest = rows[0] if rows else (0, "")
        if newest != mark:
            text = json.dumps([rule.text.rule, rule.text.when, rule.text.why])
            self._database.write(
                "INSERT INTO rule_texts VALUES (?, ?, ?, ?, ?, ?)",
                (self.book, rule.id, version + 1, self.now().isoformat(), mark, text),
            )


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


def _encode_stored_text(text: RuleText) -> RuleText:
    return RuleText(normalize_text(text.rule), normalize_text(text.when), normalize_text(text.why))
