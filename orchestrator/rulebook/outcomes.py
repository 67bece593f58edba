"""Record the outcomes of rules: which were active, which failures recurred, which did nothing.

This is a listener. Every record is idempotent, because a resumed run reports its finished attempts
again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from orchestrator import events
from orchestrator.agents.claude_instructions import read_instructions
from orchestrator.errors import LoopError
from orchestrator.models import AgentResult, Attempt, Diff, Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.idle_rules import IDLE, archive_rules, find_idle_rules
from orchestrator.rulebook.records import (
    Exposure,
    RuleEventKind,
    RuleRecord,
    Status,
    Witness,
    hash_text,
)
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.scope import is_in_scope
from orchestrator.rulebook.suggested_checks import suggest_check
from orchestrator.rulebook.witness import witness_rules

ESCALATE_AFTER: Final = 2
"""Recurrences of a rule's own failure after which it is escalated."""


def build_outcomes_listener(
    history: History,
    rulebook: MarkdownRulebook,
    run: str,
    report: Callable[[str], None],
    *,
    tidy: bool = True,
) -> events.Listener:
    """Return a listener that records the outcomes of the active rules in one run.

    `report` gets a line for each rule that is escalated or archived, and for an error that prevents
    recording, which does not end the run. `tidy` archives idle rules at the end of the run.
    """
    exposures = _ExposureRecorder(history, rulebook, run)

    def listen(event: events.Event) -> None:
        try:
            exposures.handle_event(event)
            record_event(event)
        except LoopError as error:
            report(f"the outcomes of rules cannot be recorded: {error}")

    def record_event(event: events.Event) -> None:
        if isinstance(event, events.TeachingStarted):
            failure = event.failure
            for record in history.record_failure(
                run, failure.fingerprint, failure.case_fingerprints
            ):
                _record_recurrence(history, record, run, report)
        elif isinstance(event, events.AttemptFinished):
            _record_verdict(history, run, event.result.attempts[-1])
        elif isinstance(event, events.RunEnded) and tidy:
            archive_idle_rules(history, rulebook, report)

    return listen


@dataclass
class _ExposureRecorder:
    """Records which rules an attempt was made with, by the best evidence that there is.

    When the attempt starts, the rules in the files are assumed to be sent. Once the agent has
    worked, its transcript shows what was really sent; without one, the files that the agent changed
    show which scoped rules were loaded.
    """

    history: History
    rulebook: MarkdownRulebook
    run: str
    _attempt: int = 0
    _witnessed_attempt: int = 0
    """The last attempt whose transcript showed what was sent."""

    def handle_event(self, event: events.Event) -> None:
        """Handle an event of the run."""
        match event:
            case events.AttemptStarted(number=number, resumed=True):
                self._attempt = number  # what it was started with is recorded
            case events.AttemptStarted(number=number):
                self._attempt = number
                always = [rule for rule in self.rulebook.list_rules() if not rule.paths]
                self.history.record_exposures(self.run, number, witness_rules(always))
            case events.AgentFinished(result=result):
                self._attempt = event.attempt or self._attempt
                self._read_transcript(result)
            case events.DiffTaken(diff=diff):
                self._attempt = event.attempt or self._attempt
                if self._witnessed_attempt != self._attempt:
                    self._infer_loaded_rules(diff)

    def _read_transcript(self, result: AgentResult) -> None:
        instructions = read_instructions(result.transcript) if result.transcript else ()
        if instructions:
            self._witnessed_attempt = self._attempt
            exposures = witness_rules(self._list_active_rules(), instructions)
            self.history.record_exposures(self.run, self._attempt, exposures)

    def _infer_loaded_rules(self, diff: Diff) -> None:
        """Count a rule for some files as loaded if the agent changed one of them."""
        touched = [change.path for change in diff.changes]
        loaded = [
            Exposure(rule.id, hash_text(rule.text), Witness.FILE)
            for rule in self._list_active_rules()
            if rule.paths and is_in_scope(rule.paths, touched)
        ]
        self.history.record_exposures(self.run, self._attempt, loaded)

    def _list_active_rules(self) -> list[Rule]:
        # The history knows them as they were when the agent began: the files are as it left them.
        return [record.rule for record in self.history.list_records() if record.status.is_active]


def archive_idle_rules(
    history: History,
    rulebook: MarkdownRulebook,
    report: Callable[[str], None],
    idle: timedelta = IDLE,
) -> list[RuleRecord]:
    """Archive rules that have prevented nothing for a while though there were runs."""
    found = find_idle_rules(history, idle)
    archive_rules(history, rulebook, found.idle, found.why, report)
    return list(found.idle)


def _record_recurrence(
    history: History, record: RuleRecord, run: str, report: Callable[[str], None]
) -> None:
    count = record.counters.recurrences
    record = replace(record, mattered=history.now())
    history.update_record(record, RuleEventKind.RECURRED, f"run {run}, {count} in all")
    known = record.status in (Status.ACTIVE, Status.PROVEN)
    if count >= ESCALATE_AFTER and known:
        check = suggest_check(record)
        why = f"its failure came back {count} times while it was active"
        escalated = replace(record, status=Status.ESCALATED, reason=why, suggestion=check)
        history.update_record(escalated, RuleEventKind.ESCALATED, why)
        report(
            f"rule {record.rule.id} is not followed: {why}. A check can enforce it: "
            f"`orchestrator rules show {record.rule.id}` suggests one"
        )


def _record_verdict(history: History, run: str, attempt: Attempt) -> None:
    """Record the verdict; a rule mattered if the attempt changed its files and was solved."""
    if attempt.report is None or not (attempt.is_solved or attempt.should_teach):
        return
    if (
        not history.record_verdict(run, attempt.number, solved=attempt.is_solved)
        or not attempt.is_solved
    ):
        return
    touched = {change.path for change in attempt.diff.changes}
    for record in history.list_exposed_rules(run, attempt.number):
        if touched & set(record.origin.files):
            history.update_record(
                replace(record, mattered=history.now()), RuleEventKind.PREVENTED, f"run {run}"
            )
