"""What a lesson does to the files of a rulebook: the one place that decides it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.models import Rule
from orchestrator.rulebook.document import find_free_id
from orchestrator.rulebook.pages import RuleFileSet
from orchestrator.rulebook.poison import find_poison
from orchestrator.rulebook.preflight import (
    Objection,
    PreflightContext,
    choose_evictions,
    find_conflict,
    is_too_long,
)
from orchestrator.rulebook.records import Origin, build_origin
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
    pages: RuleFileSet,
    lesson: Lesson,
    failure: Failure,
    *,
    today: date,
    run: str = "",
    standing: PreflightContext | None = None,
) -> Outcome:
    """Apply a lesson to a rulebook.

    A lesson about a rule that is not there becomes a new rule, if it has a text; word for word the
    same rule is not written twice. `standing` is for a rulebook with a history: then a new rule
    that says what one in force says reinforces that one; one that says the opposite is held back;
    one that was turned down before stays out; and where a new rule makes the rulebook too long,
    the least valuable one leaves. `run` and the failure's fingerprint and source go into the
    comment of a new rule.

    Raises:
        RulebookError: a file is in a state that cannot be edited safely.
    """
    outcome = _decide_outcome(pages, lesson, failure, today, run, standing)
    if standing and standing.review and outcome.file_set != pages:
        return _hold_for_approval(pages, outcome, standing, _describe_source(failure, today))
    return outcome


def _decide_outcome(
    pages: RuleFileSet,
    lesson: Lesson,
    failure: Failure,
    today: date,
    run: str,
    standing: PreflightContext | None,
) -> Outcome:
    text = sanitize_text(lesson.text) if lesson.text else None
    target = pages.find_rule(lesson.target) if lesson.target else None
    if lesson.action is Action.REINFORCE and target:
        return Outcome(pages.reinforce_rule(target.id, today), target, "reinforced")
    if lesson.action is Action.NONE or text is None or not text.rule:
        return Outcome(pages, reason=_explain_no_change(lesson, target))
    if lesson.action is not Action.AMEND:
        target = None
    taken = pages.ids | (standing.find_reserved_ids(text) if standing else frozenset())
    scope = filter_globs(lesson.paths) or (target.paths if target else ())
    rule = Rule(find_free_id(text, taken), text, _describe_source(failure, today), scope)
    if weighed := _screen_rule(pages, lesson, rule, target, standing, today):
        return weighed
    if target:
        return _amend_rule(pages, target, rule, standing, today)
    return _add_rule(pages, rule, format_provenance(build_origin(lesson, failure, run)), standing)


def _screen_rule(
    pages: RuleFileSet,
    lesson: Lesson,
    rule: Rule,
    target: Rule | None,
    standing: PreflightContext | None,
    today: date,
) -> Outcome | None:
    """What becomes of a rule that is not simply written, as another one for `target` if given."""
    text, amended = rule.text, target.id if target else ""
    others = [rule for rule in pages.rules if rule != target]
    found = find_conflict(text, others, standing) if standing else None
    if found and found.objection in (Objection.REFUSED, Objection.WAITING):
        return Outcome(pages, reason=found.message)
    if reason := find_poison(lesson):
        return Outcome(pages, rule, "quarantined", reason)
    if not target and (same := _find_same_rule(others, text)):
        return Outcome(pages, same, "already known")
    if found and found.objection is Objection.DUPLICATE:
        return Outcome(pages.reinforce_rule(found.rule.id, today), found.rule, "reinforced")
    if found:
        against = found.rule.id
        return Outcome(pages, rule, "contradiction", found.message, target=amended, against=against)
    return None


def _add_rule(
    pages: RuleFileSet, rule: Rule, note: str, standing: PreflightContext | None
) -> Outcome:
    if standing and is_too_long(rule, standing):
        return _hold_long_rule(pages, rule, standing)
    written = pages.add_rule(rule, note)
    rule = written.find_rule(rule.id) or rule
    return _enforce_budget(Outcome(written, rule, "added"), standing)


def _hold_long_rule(
    pages: RuleFileSet, rule: Rule, standing: PreflightContext, target: str = ""
) -> Outcome:
    reason = f"alone it is longer than rules.max_tokens, {standing.max_tokens}: shorten it"
    return Outcome(pages, rule, "waits for approval", reason, target=target)


def _hold_for_approval(
    pages: RuleFileSet, outcome: Outcome, standing: PreflightContext, source: str
) -> Outcome:
    """The files as they are, and what would be done to them; a reinforcement is only counted."""
    if outcome.rule is None or outcome.change == "reinforced":
        return replace(outcome, file_set=pages)
    rule = outcome.rule
    if outcome.change == "amended":
        # The proposal is a rule of its own until it is approved.
        taken = pages.ids | standing.find_reserved_ids(rule.text)
        rule = replace(rule, id=find_free_id(rule.text, taken), source=source)
    return Outcome(
        pages,
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
            pages.files.get(name, b"").decode("utf-8", "replace").splitlines(keepends=True)
            for pages in (before, after)
        )
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _enforce_budget(outcome: Outcome, standing: PreflightContext | None) -> Outcome:
    if standing is None or outcome.rule is None:
        return outcome
    pages, out = make_room(outcome.file_set, outcome.rule.id, standing)
    return replace(outcome, file_set=pages, leaving=out)


def make_room(
    pages: RuleFileSet, newest: str, standing: PreflightContext
) -> tuple[RuleFileSet, tuple[Rule, ...]]:
    """The files within their budget, and the rules that left them for it; never the newest."""
    out = choose_evictions(pages.rules, newest, standing)
    for rule in out:
        pages = pages.remove_rule(rule.id)
    return pages, out


def list_known_rules(pages: RuleFileSet) -> tuple[KnownRule, ...]:
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
        for rule in pages.rules
        if rule.text.rule
    )


def _amend_rule(
    pages: RuleFileSet, target: Rule, rule: Rule, standing: PreflightContext | None, today: date
) -> Outcome:
    """Another text for `target`, that of `rule`; and its scope, if the teacher gave one."""
    written = pages.amend_rule(target.id, rule.text, today).rescope_rule(target.id, rule.paths)
    amended = written.find_rule(target.id)
    if standing and amended and is_too_long(amended, standing):
        return _hold_long_rule(pages, rule, standing, target.id)
    outcome = Outcome(written, amended, "amended", target=target.id)
    return _enforce_budget(outcome, standing)


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
