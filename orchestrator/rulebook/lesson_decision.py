"""Decide how a lesson changes the rules. Nothing is edited here: a `Decision` is data."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from orchestrator.models import Approval, ChangeKind, Rule
from orchestrator.rulebook.document import find_free_id
from orchestrator.rulebook.masked_secret import find_masked_secret
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    choose_evictions,
    find_conflict,
    is_too_long,
)
from orchestrator.rulebook.protected_rules import LEARNED, explain_protection
from orchestrator.rulebook.records import Origin, build_origin
from orchestrator.rulebook.rule_edits import AddRule, AmendRule, ReinforceRule, RemoveRule, RuleEdit
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.scope import filter_globs
from orchestrator.rulebook.screening.screen import Screening, classify, screen
from orchestrator.rulebook.screening.subjects import Subject
from orchestrator.rulebook.text import (
    normalize_text,
    overlay_text,
    sanitize_text,
    sanitize_word,
)
from teacher.models import Action, Failure, FailureType, Lesson, RuleText


@dataclass(frozen=True)
class Decision:
    """What to do about a lesson.

    `rule` is None if the lesson changes nothing, and `reason` says why. If the lesson is held back,
    `reason` says why, and `rule` is the rule that would have been written.
    """

    rule: Rule | None = None
    change: ChangeKind | None = None
    """None if there is no rule."""
    reason: str = ""
    leaving: tuple[Rule, ...] = ()
    """Rules that are archived to make room."""
    target: str = ""
    """Id of the active rule that is amended, or would be."""
    against: str = ""
    """Id of the active rule that the lesson contradicts."""
    edits: tuple[RuleEdit, ...] = ()
    edits_wait: bool = False
    """Whether the edits are only checked now, and applied once a person has approved them."""


@dataclass(frozen=True)
class _Case:
    """A lesson with everything that the decision depends on."""

    file_set: RuleFileSet
    lesson: Lesson
    failure: Failure
    today: date
    run: str
    context: PreflightContext | None
    """None for a rulebook without a history."""

    @property
    def source(self) -> str:
        """The source of a new rule, as stated in its last bullet."""
        return _describe_source(self.failure, self.today)

    @cached_property
    def target(self) -> Rule | None:
        """The active rule that the lesson names."""
        return self.file_set.find_rule(self.lesson.target) if self.lesson.target else None

    @cached_property
    def screening(self) -> Screening:
        """What the rule is about, as it would be active; read before it is sanitized."""
        text, paths = self.lesson.text, self.lesson.paths
        if text is None:
            return Screening(Subject.CODE)
        screening = screen(text, paths)
        if self.lesson.action is Action.AMEND and self.target and not screening.defect:
            return classify(overlay_text(text, self.target.text), paths)
        return screening

    def find_new_id(self, text: RuleText) -> str:
        """Return an id that no rule in the files or the history uses."""
        reserved = self.context.find_reserved_ids(text) if self.context else frozenset()
        return find_free_id(text, self.file_set.ids | reserved)


def decide_lesson(
    file_set: RuleFileSet,
    lesson: Lesson,
    failure: Failure,
    *,
    today: date,
    run: str = "",
    context: PreflightContext | None = None,
) -> Decision:
    """Decide how a lesson changes the rules.

    A lesson about an unknown rule becomes a new rule if it has text. A rule that already exists
    verbatim is not added again. With a `context`, a new rule that repeats an active one reinforces
    it; one that contradicts an active one is held back; one that was rejected before is dropped;
    and one that exceeds the budget replaces the least valuable rules.

    Args:
        file_set: the rule files.
        lesson: the teacher's answer.
        failure: what the lesson was learned from; its fingerprint and source go into the comment
            of a new rule.
        today: the date in the source of a new rule, and in the comment of a changed one.
        run: id of the run, for the comment of a new rule.
        context: the data from the history; None for a rulebook without a history.
    """
    case = _Case(file_set, lesson, failure, today, run, context)
    decision = _decide_case(case)
    if not decision.edits:
        return decision
    approval = context.approval if context else Approval.AUTO
    if decision.change is ChangeKind.REINFORCED:
        # The file stays as it is until a person has seen the change: only the history counts it.
        return replace(decision, edits_wait=approval is not Approval.AUTO)
    screening = case.screening
    if approval is Approval.STRICT and not screening.is_free:
        reason = f"{screening.reason}; it cannot be approved, because learning.approval is strict"
        return _hold_for_approval(case, decision, reason, ChangeKind.QUARANTINED)
    if approval is not Approval.AUTO:
        note = f" ({screening.reason})" if screening.reason else ""
        return _hold_for_approval(case, decision, f"learning.approval is {approval}{note}")
    if reason := screening.reason or _explain_loss(case, decision) or lesson.concern:
        return _hold_for_approval(case, decision, reason)
    return decision


def _explain_loss(case: _Case, decision: Decision) -> str:
    """Return why the rules that would be replaced or archived need a person; empty if none does."""
    amended = case.target if decision.change is ChangeKind.AMENDED else None
    lost = (*filter(None, (amended,)), *decision.leaving)
    found = next(filter(None, map(explain_protection, lost)), "")
    return f"it would replace a rule: {found}" if found else ""


def _decide_case(case: _Case) -> Decision:
    lesson = case.lesson
    text = sanitize_text(lesson.text) if lesson.text else None
    target = case.target
    if lesson.action is Action.REINFORCE and target:
        return _reinforce_rule(case, target)
    if lesson.action is Action.NONE or text is None or not text.rule:
        return Decision(reason=_explain_no_change(lesson, target))
    if lesson.action is not Action.AMEND:
        target = None
    scope = filter_globs(lesson.paths) or (target.paths if target else ())
    rule = Rule(case.find_new_id(text), text, case.source, scope)
    if screened := _screen_rule(case, rule, target):
        return screened
    return _amend_rule(case, target, rule) if target else _add_rule(case, rule)


def _screen_rule(case: _Case, rule: Rule, target: Rule | None) -> Decision | None:
    """Return the decision if the rule must not be written as it is; None if it may be.

    Args:
        case: the lesson, and what the decision depends on.
        rule: the rule that the lesson asks for.
        target: the rule that would be amended, if any.
    """
    text, context = rule.text, case.context
    others = [each for each in case.file_set.all_rules if each != target]
    found = find_conflict(text, others, context) if context else None
    if found and found.objection in (Objection.REFUSED, Objection.WAITING):
        return Decision(reason=found.message)
    defect = case.screening.reason if case.screening.defect else ""
    if reason := find_masked_secret(case.lesson) or defect:
        return Decision(rule, ChangeKind.QUARANTINED, reason)
    if not target and (same := _find_same_rule(others, text)):
        return Decision(same, ChangeKind.ALREADY_KNOWN)
    if found and found.objection is Objection.DUPLICATE:
        return _reinforce_rule(case, found.rule)
    if found:
        return Decision(
            rule,
            ChangeKind.CONTRADICTION,
            found.message,
            target=target.id if target else "",
            against=found.rule.id,
        )
    return None


def _reinforce_rule(case: _Case, rule: Rule) -> Decision:
    if case.file_set.find_hand_written(rule.id):  # a person's: nothing is counted in its file
        return Decision(rule, ChangeKind.ALREADY_KNOWN)
    edits = (ReinforceRule(rule.id, case.today),)
    return Decision(rule, ChangeKind.REINFORCED, edits=edits)


def _add_rule(case: _Case, rule: Rule) -> Decision:
    if not case.file_set.can_express_scope(rule.paths):
        rule = replace(rule, paths=())
    if case.context and is_too_long(rule, case.context):
        return _hold_long_rule(rule, case.context)
    origin = build_origin(case.lesson, case.failure, case.run)
    leaving = _choose_evictions(case, rule)
    return Decision(
        rule,
        ChangeKind.ADDED,
        leaving=leaving,
        edits=(AddRule(rule, format_provenance(origin)), *_remove_all(leaving)),
    )


def _amend_rule(case: _Case, target: Rule, rule: Rule) -> Decision:
    """Amend `target` with the text of `rule`, and with its scope if the teacher gave one."""
    paths = rule.paths if case.file_set.can_express_scope(rule.paths) else target.paths
    amended = replace(target, text=overlay_text(rule.text, target.text), paths=paths)
    if case.context and is_too_long(amended, case.context):
        return _hold_long_rule(rule, case.context, target.id)
    leaving = _choose_evictions(case, amended)
    return Decision(
        amended,
        ChangeKind.AMENDED,
        leaving=leaving,
        target=target.id,
        edits=(AmendRule(target.id, rule.text, rule.paths, case.today), *_remove_all(leaving)),
    )


def _choose_evictions(case: _Case, newest: Rule) -> tuple[Rule, ...]:
    """Return the rules that have to be archived to make room for `newest`."""
    if case.context is None:
        return ()
    others = [rule for rule in case.file_set.rules if rule.id != newest.id]
    return choose_evictions([*others, newest], newest.id, case.context)


def _remove_all(rules: Sequence[Rule]) -> tuple[RemoveRule, ...]:
    return tuple(RemoveRule(rule.id) for rule in rules)


def _hold_long_rule(rule: Rule, context: PreflightContext, target: str = "") -> Decision:
    reason = f"the rule alone exceeds rules.max_tokens ({context.max_tokens}): shorten it"
    return Decision(rule, ChangeKind.WAITS_FOR_APPROVAL, reason, target=target)


def _hold_for_approval(
    case: _Case,
    decision: Decision,
    reason: str,
    change: ChangeKind = ChangeKind.WAITS_FOR_APPROVAL,
) -> Decision:
    """Return the decision as a proposal."""
    if decision.rule is None:
        return replace(decision, edits_wait=True)
    rule = decision.rule
    if decision.change is ChangeKind.ADDED:
        # With its scope, even if the file cannot express it now: the approval says so.
        rule = replace(rule, paths=filter_globs(case.lesson.paths))
    if decision.change is ChangeKind.AMENDED:
        # The proposal is a rule of its own until it is approved.
        rule = replace(rule, id=case.find_new_id(rule.text), source=case.source)
    return replace(
        decision,
        rule=rule,
        change=change,
        reason=reason,
        leaving=(),
        edits_wait=True,
    )


def _find_same_rule(rules: Sequence[Rule], text: RuleText) -> Rule | None:
    wanted = normalize_text(text)
    return next((rule for rule in rules if normalize_text(rule.text) == wanted), None)


def _explain_no_change(lesson: Lesson, target: Rule | None) -> str:
    """Return why a lesson changes nothing."""
    if lesson.action is Action.NONE:
        return lesson.reason
    if lesson.target and not target:
        target_id = sanitize_word(lesson.target)
        return f"there is no rule {target_id} to {lesson.action}, and no text for a new rule"
    return f"the lesson's action is {lesson.action}, but it has no text"


def _describe_source(failure: Failure, today: date) -> str:
    kind = failure.type.replace("_", " ")
    if failure.type is FailureType.OTHER:
        kind = "reported failure"
    name, _, record = failure.source.partition(":")
    if record:
        kind = f"{name} {sanitize_word(record)}"
    return f"{LEARNED}{today} from {kind}"


def format_provenance(origin: Origin) -> str:
    """Format the origin of a new rule for the rule's comment."""
    notes = {
        "failure": origin.failure,
        "source": origin.source,
        "run": origin.run,
        "model": origin.model,
    }
    words = {name: sanitize_word(value) for name, value in notes.items()}
    return ", ".join(f"{name} {word}" for name, word in words.items() if word)
