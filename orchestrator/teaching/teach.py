"""The one road from a failure to a rule: mask, ask the teacher, store the answer, write, report.

The loop, a person's report, pending failures and the trial of a teacher all come here. The teacher
that is asked is metered by the ledger, so every lesson is billed, whoever caused it.
"""

from dataclasses import dataclass, replace
from functools import partial

from orchestrator import events
from orchestrator.errors import InfrastructureError, LoopError
from orchestrator.failures.record_masking import mask_failure, mask_lesson, mask_rule
from orchestrator.journal.memory import MemoryJournal
from orchestrator.masking import Masker
from orchestrator.models import RuleChange, Teaching
from orchestrator.ports import Journal, Rulebook, Teacher
from orchestrator.teaching.pending import Pending
from teacher.errors import TeacherError, UnusableAnswer
from teacher.models import Failure, KnownRule, Lesson, Usage


@dataclass(frozen=True)
class TeachingContext:
    """The parts that teaching needs.

    Args:
        teacher: who is asked; it enters its bills in the ledger.
        masker: removes secrets from what leaves this machine.
        emit: receives the events.
        rulebook: applies the lesson; None writes nothing.
        pending: stores what is not taught, or not written, yet; None stores nothing.
    """

    teacher: Teacher
    masker: Masker
    emit: events.Listener
    rulebook: Rulebook | None = None
    pending: Pending | None = None


@dataclass(frozen=True)
class TeachingResult:
    """What was learned from a failure."""

    teaching: Teaching
    change: RuleChange | None = None
    """What the lesson did to the rulebook."""


def teach_failure(
    failure: Failure,
    context: TeachingContext,
    *,
    lesson: Lesson | None = None,
    journal: Journal | None = None,
    prefix: str = "",
) -> TeachingResult:
    """Teach a failure, and lose neither it nor an answer that was paid for.

    Args:
        failure: as it happened, unmasked.
        context: the parts.
        lesson: an answer that was given before and is not written yet; then nobody is asked.
        journal: remembers the steps `lesson` and `rule` for a run that may be resumed; None for
            callers that are not.
        prefix: what the names of these steps begin with.

    Raises:
        TeacherError: the teacher could not be asked; the failure is pending.
        LoopError: the rule cannot be written; failure and lesson are pending.
    """
    safe = mask_failure(context.masker, failure)
    journal = journal or MemoryJournal()
    if lesson is None:
        teaching = journal.step(f"{prefix}lesson", lambda: _ask_teacher(safe, context))
    else:
        context.emit(events.LessonLearned(lesson))
        teaching = Teaching(lesson, lesson.usage)
    change = None
    if teaching.lesson and context.rulebook:
        write = partial(_write_rule, teaching.lesson, safe, context.rulebook, context)
        change = journal.step(f"{prefix}rule", write)
    if context.pending:
        # A pending failure was masked when fewer secrets were known, so it may differ from `safe`.
        for each in (failure, safe):
            context.pending.remove_failure(each)
    return TeachingResult(teaching, change)


def record_answer(
    pending: Pending, masker: Masker, emit: events.Listener, failure: Failure, lesson: Lesson
) -> None:
    """Store a teacher's answer before anything else happens to it; see `RecordingTeacher`."""
    try:
        pending.record_answer(failure, mask_lesson(masker, lesson))
    except InfrastructureError as error:  # the rule can be written nevertheless
        emit(events.Notice(f"the teacher's answer cannot be stored: {error}"))


def _ask_teacher(safe: Failure, context: TeachingContext) -> Teaching:
    if context.pending and (answered := context.pending.find_answer(safe)):
        context.emit(events.Notice("the teacher has answered this before; it is not asked again"))
        context.emit(events.LessonLearned(answered))
        return Teaching(answered, Usage())  # its cost was counted then
    context.emit(events.TeachingStarted(safe))
    known = _mask_known_rules(context)
    if context.pending:
        context.pending.record_question(safe)
    try:
        lesson = mask_lesson(context.masker, context.teacher.teach(safe, known))
    except UnusableAnswer as error:  # not asked again: it was paid for, and would be so again
        reason = str(_mask_error(error, context.masker))
        context.emit(events.Notice(f"nothing learned: {reason}"))
        return Teaching(None, error.usage, reason)
    except TeacherError as error:
        masked = _mask_error(error, context.masker)
        if context.pending:
            masked = context.pending.record_unanswered(safe, masked)
        raise masked from error
    if context.pending and not context.pending.find_answer(safe):  # of a teacher that records none
        record_answer(context.pending, context.masker, context.emit, safe, lesson)
    context.emit(events.LessonLearned(lesson))
    return Teaching(lesson, lesson.usage)


def _mask_error(error: TeacherError, masker: Masker) -> TeacherError:
    """Return an error without secrets: it may quote an answer, or an address with a password."""
    return type(error)(masker.mask(error.message), error.hint, error.usage)


def _mask_known_rules(context: TeachingContext) -> list[KnownRule]:
    # Rules that people wrote may contain secrets, and all of them go to the teacher.
    known = context.rulebook.known_rules() if context.rulebook else ()
    return [replace(rule, text=mask_rule(context.masker, rule.text)) for rule in known]


def _write_rule(
    lesson: Lesson, safe: Failure, rulebook: Rulebook, context: TeachingContext
) -> RuleChange | None:
    try:
        change = rulebook.apply(lesson, safe)
    except LoopError as error:
        raise _add_lesson(error, lesson, safe, context.pending) from error
    if change:
        context.emit(events.RuleWritten(change))
    return change


def _add_lesson(
    error: LoopError, lesson: Lesson, safe: Failure, pending: Pending | None
) -> LoopError:
    """Return an error with a hint on how to write the lesson later; nothing paid for is lost."""
    if pending and pending.find_answer(safe):
        note = "the lesson is kept: `orchestrator teach --pending` writes it without asking again"
    elif lesson.text:
        text = lesson.text
        note = (
            "the lesson could not be stored either; add it with `orchestrator rules add`: "
            f"Rule: {text.rule} When: {text.when} Why: {text.why}"
        )
    else:
        return error
    return type(error)(error.message, "; ".join(filter(None, (error.hint, note))))
