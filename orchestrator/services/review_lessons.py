"""Ask the teacher about what past sessions show, in the same way as about a failing test.

A finding for a rule is a proposal from the moment on that it is found; the teacher only puts it
into words. So nothing is lost while there is no key, no network or no money: the proposal waits,
and a later review asks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.budget.ledger import CapReachedError
from orchestrator.budget.metering import Account
from orchestrator.config import Config, LoadedConfig
from orchestrator.counts import format_count
from orchestrator.errors import LoopError
from orchestrator.events import Event, Listener, Notice
from orchestrator.failures.log_excerpt import clean_text
from orchestrator.failures.record_masking import mask_failure
from orchestrator.failures.session_failure import (
    SOURCE,
    SessionEvidence,
    build_session_failure,
)
from orchestrator.models import PENDING_CHANGES, Approval, ChangeKind
from orchestrator.proposals.models import TRIES, Proposal, ProposalStatus
from orchestrator.proposals.records import ProposalStore
from orchestrator.rulebook.rule_manager import RuleManager
from orchestrator.rulebook.screening.characters import find_bad_characters
from orchestrator.services import rulebooks, wiring
from orchestrator.sessions.detectors.occurrences import Detector
from orchestrator.storage.runs import Store
from orchestrator.teaching.pending import Pending
from orchestrator.teaching.teach import TeachingContext, TeachingResult, teach_failure
from teacher.errors import TeacherError
from teacher.models import Action, Failure, FailureType

_EXPLANATIONS: Final[Mapping[Detector, tuple[FailureType, str]]] = {
    Detector.REPEATED_ERROR: (
        FailureType.OTHER,
        "The same call of a tool failed for the same cause in several sessions. A rule helps only "
        "if the cause is a fact about this project, such as where something is or how it is run.",
    ),
    Detector.SAME_COMMAND: (
        FailureType.OTHER,
        "A command that had failed was run again, unchanged, with no edit in between.",
    ),
    Detector.HIDDEN_FAILURE: (
        FailureType.OTHER,
        "Tests failed, but a pipe or a command after it hid the exit code, so the call counted as "
        "successful. The rule should say how the tests of this project are run so that a failure "
        "is seen.",
    ),
    Detector.EDIT_MISMATCH: (
        FailureType.OTHER,
        "Edits did not apply, because the file was not as the agent believed.",
    ),
    Detector.TEST_LOOP: (
        FailureType.TEST_FAILURE,
        "Tests failed several times before they passed. The diff shows what was changed between "
        "the last failing run and the passing one.",
    ),
    Detector.REJECTION: (
        FailureType.PLANNING_ERROR,
        "A person rejected what the agent was about to do, and said this. Learn from it only if it "
        "holds for other tasks in this project, and not if it was about this one task.",
    ),
    Detector.CORRECTION: (
        FailureType.PLANNING_ERROR,
        "A person corrected the agent with these words. Learn from it only if it holds for other "
        "tasks in this project, and not if it was about this one task.",
    ),
}
_OTHER: Final = (FailureType.OTHER, "It went wrong in several sessions.")

MOST_TRIES: Final = 3
"""Answers that cannot be used, after which the teacher is not asked again about a finding."""


@dataclass(frozen=True)
class TeachingRound:
    """What became of the proposals of one project in one review."""

    taught: tuple[Proposal, ...] = ()
    """The proposals that it was asked about, as they stand now."""
    obstacle: str = ""
    """Why the teacher was not asked about the rest; empty if it was asked about all."""


def select_approval(loaded: LoadedConfig) -> Approval:
    """Return which rules of a review become active by themselves.

    What the default says does not count: a rule that appears in a file overnight, from sessions
    that nobody looked at, is something that somebody has to have asked for. The file of a project
    counts as well: whoever writes it can write CLAUDE.md beside it.
    """
    chosen = Approval(loaded.config.learning.approval)
    is_written = loaded.find_origin("learning.approval") != "default"
    return chosen if is_written or chosen is not Approval.AUTO else Approval.REVIEW


def teach_proposals(
    proposals: Sequence[Proposal],
    loaded: LoadedConfig,
    store: Store,
    account: Account,
    listener: Listener,
) -> TeachingRound:
    """Ask the teacher about proposals of one project, apply its lessons, and record them.

    Args:
        proposals: those to ask about, in order; all of one project.
        loaded: the configuration of the project.
        store: the database.
        account: who pays, with the limit of the whole review.
        listener: receives notices.
    """
    project, heard = Path(proposals[0].project), _LastNotice(listener)
    try:
        config = _set_approval(loaded.config, select_approval(loaded))
        rulebooks.require_loaded(config, project)
        book, history = rulebooks.open_rulebook(config, project, store.database, heard.listen)
        parts = wiring.build_teaching_parts(
            config, project, store, heard.listen, book, account=account
        )
    except (LoopError, TeacherError) as error:
        return TeachingRound(obstacle=str(error))
    recorder = _Recorder(ProposalStore(store.database), RuleManager(book, history), heard)
    taught: list[Proposal] = []
    for each in proposals:
        failure = build_failure(each)
        try:
            result = teach_failure(failure, parts)
        except TeacherError as error:
            _forget_question(parts, failure)
            return TeachingRound(tuple(taught), _describe_obstacle(error))
        except LoopError as error:  # the answer is stored, and found again by the next review
            return TeachingRound(tuple(taught), str(error))
        taught.append(recorder.record_result(each, result))
    return TeachingRound(tuple(taught))


def _describe_obstacle(error: TeacherError) -> str:
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, CapReachedError):
        cause = cause.__cause__
    if cause is None:
        return error.message
    return (
        f"{error.message} (review.max_cost_usd limits a review, limits.max_cost_usd_per_day a day)"
    )


class _LastNotice:
    """Remembers the last notice: why a lesson changed nothing is said there only."""

    def __init__(self, listener: Listener) -> None:
        self._listener, self.text = listener, ""

    def listen(self, event: Event) -> None:
        """Pass an event on."""
        if isinstance(event, Notice):
            self.text = event.text
        self._listener(event)


@dataclass(frozen=True)
class _Recorder:
    """Records what the teacher made of proposals."""

    store: ProposalStore
    rules: RuleManager
    heard: _LastNotice

    def record_result(self, proposal: Proposal, result: TeachingResult) -> Proposal:
        """Record the result of a lesson; return the proposal as it stands.

        A person may have rejected the proposal while the teacher was asked: then the rule is
        rejected, too.
        """
        lesson, change = result.teaching.lesson, result.change
        if lesson is None:
            return self._record_try(proposal, result.teaching.trouble)
        if change is None:
            why = lesson.reason if lesson.action is Action.NONE else self.heard.text
            return self._drop(proposal, why)
        rule = change.rule.id
        if change.change in PENDING_CHANGES:
            stored = self.store.attach_rule(proposal.id, rule)
            if not stored.is_open:
                self.rules.reject_rule(rule)
            return stored
        if change.change in (ChangeKind.ADDED, ChangeKind.AMENDED):
            why = "learning.approval is auto"
            return self.store.record_answer(proposal.id, ProposalStatus.ACCEPTED, why, rule)
        return self._drop(proposal, f"rule {rule} says this already: {change.change}", rule)

    def _record_try(self, proposal: Proposal, trouble: str) -> Proposal:
        stored = self.store.count_try(proposal.id)
        if stored.read_count(TRIES) < MOST_TRIES:
            return stored
        return self._drop(stored, f"{format_count(MOST_TRIES, 'answer')} unusable: {trouble}")

    def _drop(self, proposal: Proposal, reason: str, rule: str = "") -> Proposal:
        return self.store.record_answer(proposal.id, ProposalStatus.DROPPED, reason, rule)


def build_failure(proposal: Proposal) -> Failure:
    """Return the failure that a proposal asks the teacher about.

    Quotes with characters that hide text from a reader are withheld: nobody could judge what such
    a text led to.
    """
    type_, explanation = _EXPLANATIONS.get(Detector(proposal.detector), _OTHER)
    evidence = [
        SessionEvidence(each.session, each.at, _screen_text(each.quote))
        for each in proposal.evidence
    ]
    diff = proposal.content.get("diff", "")
    return build_session_failure(
        type_,
        proposal.fingerprint,
        _screen_text(proposal.title),
        explanation,
        evidence,
        _screen_text(diff) if isinstance(diff, str) else "",
    )


def remove_queued_failures(
    project: Path, state: Path, proposals: Sequence[Proposal], listener: Listener
) -> None:
    """Remove the pending failures of past sessions whose queue is that of the proposals.

    A process that was killed may have left one. One with an answer that is not written yet stays.

    Args:
        project: the project's real path.
        state: the state directory.
        proposals: those of the project, as they stand.
        listener: receives notices about files that cannot be read.
    """
    pending = Pending(project, state, lambda text: listener(Notice(text)))
    worded = {each.fingerprint for each in proposals if each.rule or not each.is_open}
    for each in pending.list_failures():
        if not each.failure.source.startswith(SOURCE):
            continue
        if each.lesson is None or each.failure.fingerprint in worded:
            pending.remove_failure(each.failure)


def _screen_text(text: str) -> str:
    found = find_bad_characters(" ".join(clean_text(text).split()))
    return f"[withheld: the text carries {found}]" if found else text


def _set_approval(config: Config, approval: Approval) -> Config:
    learning = config.learning.model_copy(update={"approval": approval.value})
    return config.model_copy(update={"learning": learning})


def _forget_question(parts: TeachingContext, failure: Failure) -> None:
    """Remove a question without an answer from the pending failures: the proposal is its queue."""
    if not parts.pending:
        return
    safe = mask_failure(parts.masker, failure)
    if not parts.pending.find_answer(safe):
        parts.pending.remove_failure(safe)
