"""What runs say about rules: who was in force, what came back, what did nothing for a month.

Only listens. Every note is idempotent, because a run that goes on tells of its finished attempts
once more.
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
"""Recurrences of a rule's own failure."""
IDLE: Final = timedelta(days=30)
"""Without preventing anything."""


def build_outcomes_listener(
    history: History,
    rulebook: MarkdownRulebook,
    run: str,
    tell: Callable[[str], None],
    *,
    tidy: bool = True,
) -> events.Listener:
    """A listener for one run that keeps the outcomes of the rules in force.

    `tell` gets a line for each rule that is escalated or archived, and for what keeps outcomes
    from being kept: that is no reason for a run to end. `tidy` archives at the end of the run.
    """
    exposures = _ExposureRecorder(history, rulebook, run)

    def listen(event: events.Event) -> None:
        try:
            exposures.handle_event(event)
            keep(event)
        except LoopError as error:
            tell(f"the outcomes of rules are not kept: {error}")

    def keep(event: events.Event) -> None:
        if isinstance(event, events.TeachingStarted):
            failure = event.failure
            for record in history.record_failure(
                run, failure.fingerprint, failure.case_fingerprints
            ):
                _record_recurrence(history, record, run, tell)
        elif isinstance(event, events.AttemptFinished):
            _record_verdict(history, run, event.result.attempts[-1])
        elif isinstance(event, events.RunEnded) and tidy:
            archive_idle_rules(history, rulebook, tell)

    return listen


@dataclass
class _ExposureRecorder:
    """Keeps which rules an attempt was made with, by the best witness that there is.

    What stands in the files is assumed when the attempt begins. Once the agent has worked, its
    transcript says what was really sent; where it does not, the files that the agent changed say
    which rules for some files alone were loaded.
    """

    history: History
    rulebook: MarkdownRulebook
    run: str
    _attempt: int = 0
    _witnessed_attempt: int = 0
    """The last attempt whose transcript told what was sent."""

    def handle_event(self, event: events.Event) -> None:
        """Take an event of the run."""
        match event:
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
    history: History, rulebook: MarkdownRulebook, tell: Callable[[str], None]
) -> list[RuleRecord]:
    """Take out of the file what has prevented nothing in 30 days though there were runs.

    A rule whose ground is not known, as people's own, stays: no outcome can speak for it. So
    does one that no run was made with since it last mattered: then the project rested.
    """
    gone = [record for record in history.list_records() if _is_idle(history, record)]
    for record in gone:
        rulebook.remove_rule(record.rule.id)
        why = f"it prevented nothing in {IDLE.days} days"
        history.change_status(record.rule.id, Status.ARCHIVED, RuleEventKind.ARCHIVED, why)
        tell(f"to the archive: {record.rule.id}: {record.rule.text.rule} ({why})")
    return gone


def _is_idle(history: History, record: RuleRecord) -> bool:
    if not record.status.is_active or not record.origin.files:
        return False
    since = history.now() - record.mattered
    return since > IDLE and history.has_attempts_since(record.mattered)


def _record_recurrence(
    history: History, record: RuleRecord, run: str, tell: Callable[[str], None]
) -> None:
    count = record.counters.recurrences
    record = replace(record, mattered=history.now())
    history.update_record(record, RuleEventKind.RECURRED, f"run {run}, {count} in all")
    known = record.status in (Status.ACTIVE, Status.PROVEN)
    if count >= ESCALATE_AFTER and known:
        check = suggest_check(record)
        why = f"its failure came back {count} times while it was in force"
        escalated = replace(record, status=Status.ESCALATED, reason=why, suggestion=check)
        history.update_record(escalated, RuleEventKind.ESCALATED, why)
        tell(f"rule {record.rule.id} is not kept: {why}. Enforce it with {check}")


def _record_verdict(history: History, run: str, attempt: Attempt) -> None:
    """Keep the verdict; a rule on whose ground the attempt worked without its failure mattered."""
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
