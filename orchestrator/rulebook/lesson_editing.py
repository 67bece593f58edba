"""Apply the decision on a lesson to the rule files, in memory."""

from dataclasses import dataclass, field, replace
from datetime import date

from orchestrator.rulebook.lesson_decision import Decision, decide_lesson
from orchestrator.rulebook.preflight import PreflightContext
from orchestrator.rulebook.rule_edits import apply_edits
from orchestrator.rulebook.rule_file_set import RuleFileSet
from teacher.models import Failure, Lesson


@dataclass(frozen=True)
class Outcome(Decision):
    """The decision on a lesson, and the rule files after it."""

    file_set: RuleFileSet = field(default_factory=RuleFileSet)
    file_names: tuple[str, ...] = ()
    """The files that contain the rule."""


def apply_decision(file_set: RuleFileSet, decision: Decision) -> Outcome:
    """Return the rule files after the edits of a decision.

    Edits that wait for approval are tried too, so that nobody is asked to approve what a file
    cannot take; then the files are returned as they are.

    Raises:
        RulebookError: a file is in a state that cannot be edited safely.
    """
    edited = apply_edits(file_set, decision.edits)
    after = file_set if decision.edits_wait else edited
    rule = decision.rule
    if rule is None:
        return Outcome(**vars(decision), file_set=after)
    written = replace(decision, rule=after.find_rule(rule.id) or rule)
    return Outcome(**vars(written), file_set=after, file_names=after.find_files(rule.id))


def apply_lesson(
    file_set: RuleFileSet,
    lesson: Lesson,
    failure: Failure,
    *,
    today: date,
    run: str = "",
    context: PreflightContext | None = None,
) -> Outcome:
    """Decide on a lesson and apply the decision. The parameters are those of `decide_lesson`.

    Raises:
        RulebookError: a file is in a state that cannot be edited safely.
    """
    decision = decide_lesson(file_set, lesson, failure, today=today, run=run, context=context)
    return apply_decision(file_set, decision)
