"""The one road from a failure to a rule: mask, ask the teacher, store the answer, write, report.

The loop, a person's report, pending failures and the trial of a teacher all come here. The teacher
that is asked is metered by the ledger, so every lesson is billed, whoever caused it.
"""

from dataclasses import dataclass, replace
from functools import partial

from orchestrator import events
from orchestrator.failures.record_masking import mask_failure, mask_lesson, mask_rule
from orchestrator.journal.memory import MemoryJournal
from orchestrator.masking import Masker
from orchestrator.models import RuleChange, Teaching
from orchestrator.ports import Journal, Rulebook, Teacher
from orchestrator.teaching.pending import Pending
from teacher.errors import TeacherError, UnusableAnswer
from teacher.models import Failure, KnownRule, Lesson


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
        write = partial(_write_rule, teaching.lesson, safe, context.rulebook, context.emit)
        change = journal.step(f"{prefix}rule", write)
    if context.pending:
        # A pending failure was masked when fewer secrets were known, so it may differ from `safe`.
        for each in (failure, safe):
            context.pending.remove_failure(each)
    return TeachingResult(teaching, change)


def _ask_teacher(safe: Failure, context: TeachingContext) -> Teaching:
    context.emit(events.TeachingStarted(safe))
    known = _mask_known_rules(context)
    if context.pending:  # before the request, so that a full disk is noticed before it costs
        context.pending.record_failure(safe, "the teacher has not answered")
    try:
        lesson = context.teacher.teach(safe, known)
    except UnusableAnswer as error:  # not asked again: it was paid for, and would be so again
        context.emit(events.Notice(f"nothing learned: {error}"))
        return Teaching(None, error.usage, str(error))
    except TeacherError as error:
        if context.pending:
            raise context.pending.record_unanswered(safe, error) from error
        raise
    if mask_lesson(context.masker, lesson) != lesson:
        # It would be committed; and a rule with a placeholder in it says nothing.
        reason = "the teacher's answer contains what looks like a secret"
        context.emit(events.Notice(f"nothing learned: {reason}"))
        return Teaching(None, lesson.usage, reason)
    context.emit(events.LessonLearned(lesson))
    if context.pending:
        context.pending.record_failure(safe, "the rule was not written yet", lesson)
    return Teaching(lesson, lesson.usage)


def _mask_known_rules(context: TeachingContext) -> list[KnownRule]:
    # Rules that people wrote may contain secrets, and all of them go to the teacher.
    known = context.rulebook.known_rules() if context.rulebook else ()
    return [replace(rule, text=mask_rule(context.masker, rule.text)) for rule in known]


def _write_rule(
    lesson: Lesson, safe: Failure, rulebook: Rulebook, emit: events.Listener
) -> RuleChange | None:
    change = rulebook.apply(lesson, safe)
    if change:
        emit(events.RuleWritten(change))
    return change
