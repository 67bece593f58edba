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
from orchestrator.rulebook.checks import suggestion
from orchestrator.rulebook.history import History
from orchestrator.rulebook.records import Exposure, RuleRecord, Status, Witness, hash_text
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.rulebook.scope import covers
from orchestrator.rulebook.witness import witness_rules

ESCALATE_AFTER: Final = 2
"""Recurrences of a rule's own failure."""
IDLE: Final = timedelta(days=30)
"""Without preventing anything."""


def outcomes_listener(
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
    exposures = _Exposures(history, rulebook, run)

    def listen(event: events.Event) -> None:
        try:
            exposures.take(event)
            keep(event)
        except LoopError as error:
            tell(f"the outcomes of rules are not kept: {error}")

    def keep(event: events.Event) -> None:
        if isinstance(event, events.TeachingStarted):
            failure = event.failure
            for record in history.failed(run, failure.fingerprint, failure.case_fingerprints):
                _recurred(history, record, run, tell)
        elif isinstance(event, events.AttemptFinished):
            _judged(history, run, event.result.attempts[-1])
        elif isinstance(event, events.RunEnded) and tidy:
            archive_idle(history, rulebook, tell)

    return listen


@dataclass
class _Exposures:
    """Keeps which rules an attempt was made with, by the best witness that there is.

    What stands in the files is assumed when the attempt begins. Once the agent has worked, its
    transcript says what was really sent; where it does not, the files that the agent changed say
    which rules for some files alone were loaded.
    """

    history: History
    rulebook: MarkdownRulebook
    run: str
    _attempt: int = 0
    _witnessed: int = 0
    """The last attempt whose transcript told what was sent."""

    def take(self, event: events.Event) -> None:
        """Take an event of the run."""
        match event:
            case events.AttemptStarted(number=number):
                self._attempt = number
                always = [rule for rule in self.rulebook.rules() if not rule.paths]
                self.history.expose(self.run, number, witness_rules(always))
            case events.AgentFinished(result=result):
                self._attempt = event.attempt or self._attempt
                self._read_transcript(result)
            case events.DiffTaken(diff=diff):
                self._attempt = event.attempt or self._attempt
                if self._witnessed != self._attempt:
                    self._infer_loaded(diff)

    def _read_transcript(self, result: AgentResult) -> None:
        instructions = read_instructions(result.transcript) if result.transcript else ()
        if instructions:
            self._witnessed = self._attempt
            exposures = witness_rules(self._active_rules(), instructions)
            self.history.expose(self.run, self._attempt, exposures)

    def _infer_loaded(self, diff: Diff) -> None:
        """Count a rule for some files as loaded if the agent changed one of them."""
        touched = [change.path for change in diff.changes]
        loaded = [
            Exposure(rule.id, hash_text(rule.text), Witness.FILE)
            for rule in self._active_rules()
            if rule.paths and covers(rule.paths, touched)
        ]
        self.history.expose(self.run, self._attempt, loaded)

    def _active_rules(self) -> list[Rule]:
        # The history knows them as they were when the agent began: the files are as it left them.
        return [record.rule for record in self.history.all() if record.status.in_force]


def archive_idle(
    history: History, rulebook: MarkdownRulebook, tell: Callable[[str], None]
) -> list[RuleRecord]:
    """Take out of the file what has prevented nothing in 30 days though there were runs.

    A rule whose ground is not known, as people's own, stays: no outcome can speak for it. So
    does one that no run was made with since it last mattered: then the project rested.
    """
    gone = [record for record in history.all() if _idle(history, record)]
    for record in gone:
        rulebook.take_out(record.rule.id)
        why = f"it prevented nothing in {IDLE.days} days"
        history.move(record.rule.id, Status.ARCHIVED, "archived", why)
        tell(f"to the archive: {record.rule.id}: {record.rule.text.rule} ({why})")
    return gone


def _idle(history: History, record: RuleRecord) -> bool:
    if not record.status.in_force or not record.origin.files:
        return False
    since = history.now() - record.mattered
    return since > IDLE and history.worked_since(record.mattered)


def _recurred(history: History, record: RuleRecord, run: str, tell: Callable[[str], None]) -> None:
    count = record.counters.recurrences
    record = replace(record, mattered=history.now())
    history.update(record, "its failure came back", f"run {run}, {count} in all")
    known = record.status in (Status.ACTIVE, Status.PROVEN)
    if count >= ESCALATE_AFTER and known:
        check = suggestion(record)
        why = f"its failure came back {count} times while it was in force"
        escalated = replace(record, status=Status.ESCALATED, reason=why, suggestion=check)
        history.update(escalated, "escalated", why)
        tell(f"rule {record.rule.id} is not kept: {why}. Enforce it with {check}")


def _judged(history: History, run: str, attempt: Attempt) -> None:
    """Keep the verdict; a rule on whose ground the attempt worked without its failure mattered."""
    if attempt.report is None or not (attempt.solved or attempt.teaches):
        return
    if not history.judged(run, attempt.number, solved=attempt.solved) or not attempt.solved:
        return
    touched = {change.path for change in attempt.diff.changes}
    for record in history.exposed(run, attempt.number):
        if touched & set(record.origin.files):
            history.update(replace(record, mattered=history.now()), "prevented", f"run {run}")
