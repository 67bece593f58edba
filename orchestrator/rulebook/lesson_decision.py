"""What a lesson does to the files of a rulebook: the one place that decides it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.models import Rule
from orchestrator.rulebook.document import find_free_id
from orchestrator.rulebook.poison import find_poison
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    choose_evictions,
    find_conflict,
    is_too_long,
)
from orchestrator.rulebook.records import Origin, build_origin
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.scope import filter_globs
from orchestrator.rulebook.text import normalize_text, sanitize_text, sanitize_word
from teacher.models import Action, Failure, FailureType, KnownRule, Lesson, RuleText


@dataclass(frozen=True)
class Outcome:
    """The rulebook after a lesson.

    `rule` is None when the lesson changes nothing; then `reason` says why. It also says why a
    lesson is held back, and `rule` what it would have been.
    """

    file_set: RuleFileSet
    rule: Rule | None = None
    change: str = ""
    """One of `RuleChange.change`."""
    reason: str = ""
    leaving: tuple[Rule, ...] = ()
    """Rules that made room for it."""
    target: str = ""
    """The rule in force that is amended, or would be."""
    against: str = ""
    """The rule in force that it contradicts."""


def apply_lesson(
    file_set: RuleFileSet,
    lesson: Lesson,
    failure: Failure,
    *,
    today: date,
    run: str = "",
    context: PreflightContext | None = None,
) -> Outcome:
    """Apply a lesson to a rulebook.

    A lesson about a rule that is not there becomes a new rule, if it has a text; word for word the
    same rule is not written twice. `context` is for a rulebook with a history: then a new rule
    that says what one in force says reinforces that one; one that says the opposite is held back;
    one that was turned down before stays out; and where a new rule makes the rulebook too long,
    the least valuable one leaves. `run` and the failure's fingerprint and source go into the
    comment of a new rule.

    Raises:
        RulebookError: a file is in a state that cannot be edited safely.
    """
    outcome = _decide_outcome(file_set, lesson, failure, today, run, context)
    if context and context.review and outcome.file_set != file_set:
        return _hold_for_approval(file_set, outcome, context, _describe_source(failure, today))
    return outcome


def _decide_outcome(
    file_set: RuleFileSet,
    lesson: Lesson,
    failure: Failure,
    today: date,
    run: str,
    context: PreflightContext | None,
) -> Outcome:
    text = sanitize_text(lesson.text) if lesson.text else None
    target = file_set.find_rule(lesson.target) if lesson.target else None
    if lesson.action is Action.REINFORCE and target:
        return Outcome(file_set.reinforce_rule(target.id, today), target, "reinforced")
    if lesson.action is Action.NONE or text is None or not text.rule:
        return Outcome(file_set, reason=_explain_no_change(lesson, target))
    if lesson.action is not Action.AMEND:
        target = None
    taken = file_set.ids | (context.find_reserved_ids(text) if context else frozenset())
    scope = filter_globs(lesson.paths) or (target.paths if target else ())
    rule = Rule(find_free_id(text, taken), text, _describe_source(failure, today), scope)
    if weighed := _screen_rule(file_set, lesson, rule, target, context, today):
        return weighed
    if target:
        return _amend_rule(file_set, target, rule, context, today)
    return _add_rule(file_set, rule, format_provenance(build_origin(lesson, failure, run)), context)


def _screen_rule(
    file_set: RuleFileSet,
    lesson: Lesson,
    rule: Rule,
    target: Rule | None,
    context: PreflightContext | None,
    today: date,
) -> Outcome | None:
    """What becomes of a rule that is not simply written, as another one for `target` if given."""
    text, amended = rule.text, target.id if target else ""
    others = [rule for rule in file_set.rules if rule != target]
    found = find_conflict(text, others, context) if context else None
    if found and found.objection in (Objection.REFUSED, Objection.WAITING):
        return Outcome(file_set, reason=found.message)
    if reason := find_poison(lesson):
        return Outcome(file_set, rule, "quarantined", reason)
    if not target and (same := _find_same_rule(others, text)):
        return Outcome(file_set, same, "already known")
    if found and found.objection is Objection.DUPLICATE:
        return Outcome(file_set.reinforce_rule(found.rule.id, today), found.rule, "reinforced")
    if found:
        against = found.rule.id
        return Outcome(
            file_set, rule, "contradiction", found.message, target=amended, against=against
        )
    return None


def _add_rule(
    file_set: RuleFileSet, rule: Rule, note: str, context: PreflightContext | None
) -> Outcome:
    if context and is_too_long(rule, context):
        return _hold_long_rule(file_set, rule, context)
    written = file_set.add_rule(rule, note)
    rule = written.find_rule(rule.id) or rule
    return _enforce_budget(Outcome(written, rule, "added"), context)


def _hold_long_rule(
    file_set: RuleFileSet, rule: Rule, context: PreflightContext, target: str = ""
) -> Outcome:
    reason = f"alone it is longer than rules.max_tokens, {context.max_tokens}: shorten it"
    return Outcome(file_set, rule, "waits for approval", reason, target=target)


def _hold_for_approval(
    file_set: RuleFileSet, outcome: Outcome, context: PreflightContext, source: str
) -> Outcome:
    """The files as they are, and what would be done to them; a reinforcement is only counted."""
    if outcome.rule is None or outcome.change == "reinforced":
        return replace(outcome, file_set=file_set)
    rule = outcome.rule
    if outcome.change == "amended":
        # The proposal is a rule of its own until it is approved.
        taken = file_set.ids | context.find_reserved_ids(rule.text)
        rule = replace(rule, id=find_free_id(rule.text, taken), source=source)
    return Outcome(
        file_set,
        rule,
        "waits for approval",
        "learning.approval is review: `orchestrator rules pending`",
        target=outcome.target,
    )


def render_diff(before: RuleFileSet, after: RuleFileSet) -> str:
    """What changes in the files of a rulebook, as one unified diff."""
    lines: list[str] = []
    for name in dict.fromkeys([*before.files, *after.files]):
        old, new = (
            file_set.files.get(name, b"").decode("utf-8", "replace").splitlines(keepends=True)
            for file_set in (before, after)
        )
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _enforce_budget(outcome: Outcome, context: PreflightContext | None) -> Outcome:
    if context is None or outcome.rule is None:
        return outcome
    file_set, out = make_room(outcome.file_set, outcome.rule.id, context)
    return replace(outcome, file_set=file_set, leaving=out)


def make_room(
    file_set: RuleFileSet, newest: str, context: PreflightContext
) -> tuple[RuleFileSet, tuple[Rule, ...]]:
    """The files within their budget, and the rules that left them for it; never the newest."""
    out = choose_evictions(file_set.rules, newest, context)
    for rule in out:
        file_set = file_set.remove_rule(rule.id)
    return file_set, out


def list_known_rules(file_set: RuleFileSet) -> tuple[KnownRule, ...]:
    """The rules of a rulebook as the teacher sees them, in text that can be sent anywhere."""
    return tuple(
        KnownRule(
            rule.id,
            RuleText(
                _replace_surrogates(rule.text.rule),
                _replace_surrogates(rule.text.when),
                _replace_surrogates(rule.text.why),
            ),
            f"it is loaded only for {_replace_surrogates(', '.join(rule.paths))}"
            if rule.paths
            else "",
        )
        for rule in file_set.rules
        if rule.text.rule
    )


def _amend_rule(
    file_set: RuleFileSet, target: Rule, rule: Rule, context: PreflightContext | None, today: date
) -> Outcome:
    """Another text for `target`, that of `rule`; and its scope, if the teacher gave one."""
    written = file_set.amend_rule(target.id, rule.text, today).rescope_rule(target.id, rule.paths)
    amended = written.find_rule(target.id)
    if context and amended and is_too_long(amended, context):
        return _hold_long_rule(file_set, rule, context, target.id)
    outcome = Outcome(written, amended, "amended", target=target.id)
    return _enforce_budget(outcome, context)


def _find_same_rule(rules: Sequence[Rule], text: RuleText) -> Rule | None:
    wanted = normalize_text(text)
    return next((rule for rule in rules if normalize_text(rule.text) == wanted), None)


def _explain_no_change(lesson: Lesson, target: Rule | None) -> str:
    """Why a lesson without a text changes nothing."""
    if lesson.action is Action.NONE:
        return lesson.reason
    if lesson.target and not target:
        target_id = sanitize_word(lesson.target)
        return f"there is no rule {target_id} to {lesson.action}, and no text to add"
    return f"the lesson says {lesson.action}, but has no text"


def _describe_source(failure: Failure, today: date) -> str:
    kind = failure.type.replace("_", " ")
    if failure.type is FailureType.OTHER:
        kind = "reported failure"
    name, _, record = failure.source.partition(":")
    if record:
        kind = f"{name} {sanitize_word(record)}"
    return f"Learned on {today} from {kind}"


def format_provenance(origin: Origin) -> str:
    """What the comment of a new rule says about where it came from."""
    notes = {
        "failure": origin.failure,
        "source": origin.source,
        "run": origin.run,
        "model": origin.model,
    }
    words = {name: sanitize_word(value) for name, value in notes.items()}
    return ", ".join(f"{name} {word}" for name, word in words.items() if word)


def _replace_surrogates(text: str) -> str:
    # Bytes that are not UTF-8 are kept in the file, but no request can carry them.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
