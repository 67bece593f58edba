"""The history of a rulebook: every rule that it ever had or refused, and the outcomes of each.

A rulebook is identified by the real path of its file. The file decides which rules are active; the
history follows it (`reconcile_rules`), and stores what a file cannot: each text that a rule had,
its origin, and the attempts during which it was active.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.models import Rule
from orchestrator.rulebook.preflight import fingerprint_text
from orchestrator.rulebook.records import (
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
)
from orchestrator.rulebook.rule_table import RuleTable
from orchestrator.rulebook.suggested_checks import replace_rule
from orchestrator.storage.database import Database, normalize_text
from teacher.models import RuleText

_DELETED_REASON: Final = "deleted from the file"
_OTHER_BRANCH_REASON: Final = "it may stand on another branch; a failure may teach it again"
_REFUSED_REASON: Final = "it was turned down before"
_STATUS_BY_EVENT: Final = {
    RuleEventKind.RETIRED.value: Status.ARCHIVED,
    RuleEventKind.REJECTED.value: Status.REJECTED,
}
"""What a person may have decided about a rule, and its status then."""


def _current_time() -> datetime:
    return datetime.now(UTC)


class History:
    """The stored history of one rulebook.

    Each method raises InfrastructureError when the database fails.

    Args:
        database: the state database.
        book: the rulebook's file, by its real path.
        now: returns the time, with its zone.
    """

    def __init__(
        self, database: Database, book: Path, now: Callable[[], datetime] = _current_time
    ) -> None:
        self.book, self.now = str(book), now
        self._database, self._table = database, RuleTable(database, self.book, now)

    # ---- reading

    def list_records(self) -> list[RuleRecord]:
        """Return every rule, in the order in which they were learned."""
        return self._table.fetch_records()

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
        """Return the rule with exactly this id."""
        return self._table.fetch_record(rule)

    def list_events(self, rule: str) -> list[RuleEvent]:
        """Return what happened to a rule, the oldest first."""
        return self._table.fetch_events(rule)

    # ---- recording

    def record_event(self, rule: str, what: RuleEventKind, detail: str = "") -> None:
        """Record that something happened to a rule."""
        self._table.insert_event(rule, what, detail)

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
        """Record a rule; if its id is known, its history continues."""
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
            self._table.store_record(record)
            self._table.insert_event(rule.id, what, reason)

    def change_status(
        self, rule: str, status: Status, what: RuleEventKind, reason: str = ""
    ) -> None:
        """Change a rule's status; one that is rejected or harmful stays out from now on.

        Raises:
            UsageError: there is no such rule.
        """
        with self._database.transaction():
            record = self.resolve_record(rule)
            self._table.store_record(
                replace(record, status=status, reason=reason, mattered=self.now())
            )
            self._table.insert_event(record.rule.id, what, reason)
            if status in (Status.REJECTED, Status.HARMFUL):
                self.record_refusal(record)

    def update_record(self, record: RuleRecord, what: RuleEventKind, detail: str = "") -> None:
        """Store a changed record, and why it changed."""
        with self._database.transaction():
            self._table.store_record(record)
            self._table.insert_event(record.rule.id, what, detail)

    def reconcile_rules(
        self,
        rules: Sequence[Rule],
        origins: dict[str, Origin],
        withdrawn: Callable[[RuleRecord], bool],
        *,
        own: bool = True,
    ) -> None:
        """Record what people did to the file: they edit it, and check out other branches.

        The caller holds the rulebook's lock, and has just read `rules` from the file.

        Args:
            rules: the rules in the file.
            origins: the origins in their comments, by rule id.
            withdrawn: returns whether a person removed a missing rule; then it stays out.
            own: False for a copy of the file on a branch that this program made: it may add rules,
                but the project's own file decides which are active.
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
        """Record that a rule is no longer in the file."""
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
        """Record what happened to a rule that is in the file."""
        if not before.status.is_active:
            # A person may have restored it, or only checked out another branch.
            if before.reason == _DELETED_REASON:
                self.delete_refusal(before.rule.text)
            back = replace(before, rule=rule, status=before.status_when_restored, reason="")
            self.update_record(replace(back, mattered=self.now()), RuleEventKind.RETURNED)
        elif was := describe_difference(
            before.rule, replace(rule, text=_encode_stored_text(rule.text))
        ):
            changed = replace(replace_rule(before, rule), mattered=self.now())
            self.update_record(changed, RuleEventKind.EDITED_IN_FILE, was)

    # ---- refusals

    def list_refusals(self) -> list[Refusal]:
        """Return the texts that stay out, the last refused at the end."""
        return self._table.fetch_refusals()

    def delete_refusal(self, text: RuleText) -> None:
        """Delete the refusal of a text, because a person wants the rule after all."""
        self._table.delete_refusal(fingerprint_text(text))

    def record_refusal(self, record: RuleRecord) -> None:
        """Keep a rule's text out from now on, until somebody allows it."""
        fingerprint = fingerprint_text(record.rule.text)
        with self._database.transaction():
            # Delete it first, so that it is the last in `list_refusals`.
            self._table.delete_refusal(fingerprint)
            self._table.insert_refusal(fingerprint, Refusal(record.rule.id, record.rule.text))

    def _is_refused(self, text: RuleText) -> bool:
        return any(
            fingerprint_text(refused.text) == fingerprint_text(text)
            for refused in self.list_refusals()
        )

    # ---- mirrored files

    def read_agreed_rules(self) -> dict[str, RuleText]:
        """Return the rules that both mirrored files had when they were last equal, by id."""
        return self._table.fetch_agreed_rules()

    def record_agreed_rules(self, rules: Mapping[str, RuleText]) -> None:
        """Record the rules that both mirrored files have now."""
        self._table.replace_agreed_rules(rules)

    # ---- outcomes

    def record_exposures(self, run: str, number: int, rules: Iterable[Exposure]) -> None:
        """Record the rules that were active during an attempt.

        The last exposure of a rule counts, except that one that is inferred from a file does not
        replace one that a transcript proves.
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
        """Record how the current attempt failed; return the sent rules whose failure recurred.

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
        """Record an attempt's verdict; return whether it had none before."""
        return bool(
            self._database.write(
                "UPDATE attempts SET solved = ? WHERE book = ? AND run = ? AND number = ?"
                " AND solved IS NULL",
                (int(solved), self.book, run, number),
            )
        )

    def list_exposed_rules(self, run: str, number: int) -> list[RuleRecord]:
        """Return the rules that were sent in an attempt."""
        rows = self._database.fetch_rows(
            "SELECT rule FROM exposures WHERE book = ? AND run = ? AND attempt = ?"
            " AND witness != ?",
            (self.book, run, number, Witness.NONE),
        )
        found = (self.find_record(rule) for (rule,) in rows)
        return [record for record in found if record]

    def has_attempts_since(self, moment: datetime) -> bool:
        """Return whether an attempt was judged after a moment."""
        return bool(
            self._database.fetch_rows(
                "SELECT 1 FROM attempts WHERE book = ? AND solved IS NOT NULL AND at > ? LIMIT 1",
                (self.book, moment.isoformat()),
            )
        )

    def _find_current_attempt(self, run: str) -> int | None:
        """Return the number of a run's newest attempt."""
        rows = self._database.fetch_rows(
            "SELECT max(number) FROM attempts WHERE book = ? AND run = ?", (self.book, run)
        )
        return int(rows[0][0]) if rows[0][0] is not None else None


def _encode_stored_text(text: RuleText) -> RuleText:
    return RuleText(normalize_text(text.rule), normalize_text(text.when), normalize_text(text.why))
