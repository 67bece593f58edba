"""The one way from a failure to a rule: mask, ask, keep the answer, write, tell.

The loop, a person's report, what waited and the trial of a teacher all come here. The teacher that
is asked stands behind the ledger, so whatever costs money is metered, whoever caused it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, TypeVar

from orchestrator import events
from orchestrator.failures.record_masking import mask_failure, mask_lesson, mask_rule
from orchestrator.masking import Masker
from orchestrator.models import RuleChange, Teaching
from orchestrator.ports import Rulebook, Teacher
from orchestrator.teaching.pending import Pending
from teacher.errors import TeacherError, UnusableAnswer
from teacher.models import Failure, Lesson

T = TypeVar("T")


class Step(Protocol):
    """Carries a step out, or gives what it gave when it was finished before."""

    def __call__(self, name: str, function: Callable[[], T], /) -> T:
        """Return what the function gives, or gave."""


def run_step(name: str, function: Callable[[], T], /) -> T:
    """Carry a step out, for callers that need no second life."""
    del name
    return function()


@dataclass(frozen=True)
class TeachingContext:
    """What teaching needs.

    Args:
        teacher: who is asked; its bills stand in the ledger.
        masker: takes secrets out of what leaves this machine.
        emit: hears of everything as it happens.
        rulebook: takes the lesson in; None writes nothing.
        pending: keeps what is not taught, or not written, yet; None keeps nothing.
        step: carries a step out.
    """

    teacher: Teacher
    masker: Masker
    emit: events.Listener
    rulebook: Rulebook | None = None
    pending: Pending | None = None
    step: Step = run_step


@dataclass(frozen=True)
class TeachingResult:
    """What became of a failure."""

    teaching: Teaching
    change: RuleChange | None = None
    """What the lesson did to the rulebook."""


def teach_failure(
    failure: Failure, parts: TeachingContext, *, name: str = "", lesson: Lesson | None = None
) -> TeachingResult:
    """Teach a failure, and lose neither it nor an answer that was paid for.

    Args:
        failure: as it happened.
        parts: what teaching needs.
        name: what the names of its steps begin with.
        lesson: an answer that was given before and is not written yet; then nobody is asked.

    Raises:
        TeacherError: the teacher could not be asked; the failure waits.
        LoopError: the rule cannot be written; failure and lesson wait.
    """
    safe = mask_failure(parts.masker, failure)
    if lesson is None:
        teaching = parts.step(f"{name}lesson", lambda: _ask_teacher(safe, parts))
    else:
        parts.emit(events.LessonLearned(lesson))
        teaching = Teaching(lesson, lesson.usage)
    change = None
    if teaching.lesson and parts.rulebook:
        write = partial(_write_rule, teaching.lesson, safe, parts.rulebook, parts.emit)
        change = parts.step(f"{name}rule", write)
    if parts.pending:
        for each in (failure, safe):  # what waited was masked when less was known
            parts.pending.remove_failure(each)
    return TeachingResult(teaching, change)


def _ask_teacher(safe: Failure, parts: TeachingContext) -> Teaching:
    parts.emit(events.TeachingStarted(safe))
    known = [
        # A person's own rule may hold one too.
        replace(rule, text=mask_rule(parts.masker, rule.text))
        for rule in (parts.rulebook.known_rules() if parts.rulebook else ())
    ]
    if parts.pending:  # also a full disk is met before anything is paid
        parts.pending.record_failure(safe, "the teacher has not answered")
    try:
        lesson = parts.teacher.teach(safe, known)
    except UnusableAnswer as error:  # it was paid for, and would be so again
        parts.emit(events.Notice(f"nothing learned: {error}"))
        return Teaching(None, error.usage, str(error))
    except TeacherError as error:
        raise parts.pending.record_unanswered(safe, error) if parts.pending else error from error
    if mask_lesson(parts.masker, lesson) != lesson:
        # It would be committed; and a rule with a placeholder in it is no rule.
        words = "the teacher's answer holds what reads like a secret"
        parts.emit(events.Notice(f"nothing learned: {words}"))
        return Teaching(None, lesson.usage, words)
    parts.emit(events.LessonLearned(lesson))
    if parts.pending:
        parts.pending.record_failure(safe, "the rule was not written yet", lesson)
    return Teaching(lesson, lesson.usage)


def _write_rule(
    lesson: Lesson, safe: Failure, rulebook: Rulebook, emit: events.Listener
) -> RuleChange | None:
    change = rulebook.apply(lesson, safe)
    if change:
        emit(events.RuleWritten(change))
    return change
