"""What a lesson does to the bytes of a rulebook: the one place that decides it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.memory.document import Document, free_id, parse
from orchestrator.memory.editing import amend, append, reinforce, remove
from orchestrator.memory.poison import poison_in
from orchestrator.memory.preflight import (
    Found,
    Objection,
    Standing,
    contradicted,
    leaving,
    preflight,
)
from orchestrator.memory.records import Origin, origin_of
from orchestrator.memory.text import normalised, rule_id, safe_text, safe_word
from orchestrator.models import Rule
from teacher.models import Action, Failure, FailureType, KnownRule, Lesson, RuleText


@dataclass(frozen=True)
class Outcome:
    """The rulebook after a lesson.

    `rule` is None when the lesson changes nothing; then `reason` says why. It also says why a
    lesson is held back, and `rule` what it would have been.
    """

    data: bytes
    rule: Rule | None = None
    change: str = ""
    """One of `RuleChange.change`."""
    reason: str = ""
    leaving: tuple[Rule, ...] = ()
    """Rules that made room for it."""
    target: str = ""
    """The rule in force that is amended, or contradicted."""
    diff: str = ""
    """What waits for approval, as a unified diff of the file."""


def take_in(
    data: bytes,
    lesson: Lesson,
    failure: Failure,
    *,
    today: date,
    run: str = "",
    imports: Sequence[str] = (),
    standing: Standing | None = None,
) -> Outcome:
    """Apply a lesson to a rulebook.

    A lesson about a rule that is not there becomes a new rule, if it has a text; word for word the
    same rule is not written twice. `standing` is for a rulebook with a history: then a new rule
    that says what one in force says reinforces that one; one that says the opposite is held back;
    one that was turned down before stays out; and where a new rule makes the file too long, the
    least valuable one leaves. `run` and the failure's fingerprint and source go
    into the comment of a new rule; `imports` is for a file that is new.

    Raises:
        RulebookError: the file is in a state that cannot be edited safely.
    """
    outcome = _decided(data, lesson, failure, today, run, imports, standing)
    if standing and standing.review and outcome.data != data:
        return _waiting(data, outcome)
    return outcome


def _decided(
    data: bytes,
    lesson: Lesson,
    failure: Failure,
    today: date,
    run: str,
    imports: Sequence[str],
    standing: Standing | None,
) -> Outcome:
    known = parse(data)
    text = safe_text(lesson.text) if lesson.text else None
    target = known.find(lesson.target) if lesson.target else None
    if refused := _refused(data, lesson, text):
        return refused
    if lesson.action is Action.REINFORCE and target:
        return Outcome(reinforce(data, target.id, today), target, "reinforced")
    if text is None or not text.rule:
        return Outcome(data, reason=_nothing(lesson, target))
    if lesson.action is Action.AMEND and target:
        others = [rule for rule in known.rules if rule is not target]
        if standing and (other := contradicted(text, others)):
            return _contradiction(data, replace(target, text=text), other)
        return _amended(data, target, text, today)
    rule = Rule(free_id(text, known.ids), text, _source(failure, today))
    note = provenance(origin_of(lesson, failure, run))
    return _added(data, rule, note, imports, standing, today)


def _added(
    data: bytes,
    rule: Rule,
    note: str,
    imports: Sequence[str],
    standing: Standing | None,
    today: date,
) -> Outcome:
    known = parse(data)
    if same := _same(known, rule.text):
        return Outcome(data, same, "already known")
    if standing and (found := preflight(rule.text, known.rules, standing)):
        return _objected(data, rule, found, today)
    written = append(data, rule, note, imports)
    return _within_budget(written, rule, standing) if standing else Outcome(written, rule, "added")


def _objected(data: bytes, rule: Rule, found: Found, today: date) -> Outcome:
    if found.objection is Objection.DUPLICATE:
        return Outcome(reinforce(data, found.rule.id, today), found.rule, "reinforced")
    if found.objection is Objection.CONTRADICTION:
        return _contradiction(data, rule, found.rule)
    return Outcome(data, reason=f"it was turned down before, as {found.rule.id}")


def _contradiction(data: bytes, rule: Rule, other: Rule) -> Outcome:
    reason = f"it contradicts {other.id}: {other.text.rule}"
    return Outcome(data, rule, "contradiction", reason, target=other.id)


def _waiting(data: bytes, outcome: Outcome) -> Outcome:
    """The file as it is, and what would be done to it; a reinforcement is only counted."""
    if outcome.rule is None or outcome.change == "reinforced":
        return replace(outcome, data=data)
    rule = outcome.rule
    if outcome.change == "amended":
        # The proposal is a rule of its own until it is approved.
        rule = Rule(free_id(rule.text, parse(data).ids), rule.text, rule.source)
    return Outcome(
        data,
        rule,
        "waits for approval",
        "learning.approval is review: `orchestrator rules pending`",
        target=outcome.target,
        diff=unified(data, outcome.data),
    )


def unified(before: bytes, after: bytes) -> str:
    """What changes in a rulebook file, as a unified diff."""
    old, new = (
        data.decode("utf-8", "replace").splitlines(keepends=True) for data in (before, after)
    )
    lines = difflib.unified_diff(old, new, "a/CLAUDE.md", "b/CLAUDE.md")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _within_budget(data: bytes, newest: Rule, standing: Standing) -> Outcome:
    out = leaving(parse(data).rules, newest.id, standing)
    for rule in out:
        data = remove(data, rule.id)
    return Outcome(data, newest, "added", leaving=out)


def known_rules(document: Document) -> tuple[KnownRule, ...]:
    """The rules of a document as the teacher sees them, in text that can be sent anywhere."""
    return tuple(
        KnownRule(
            rule.id,
            RuleText(_clean(rule.text.rule), _clean(rule.text.when), _clean(rule.text.why)),
        )
        for rule in document.rules
        if rule.text.rule
    )


def _refused(data: bytes, lesson: Lesson, text: RuleText | None) -> Outcome | None:
    if lesson.action is Action.NONE:
        return Outcome(data, reason=lesson.reason)
    if text and text.rule and (reason := poison_in(lesson)):
        return Outcome(data, Rule(rule_id(text), text), "quarantined", reason)
    return None


def _amended(data: bytes, target: Rule, text: RuleText, today: date) -> Outcome:
    written = amend(data, target.id, text, today)
    rule = parse(written).find(target.id)
    return Outcome(written, rule, "amended", target=target.id)


def _same(known: Document, text: RuleText) -> Rule | None:
    wanted = normalised(text)
    return next((rule for rule in known.rules if normalised(rule.text) == wanted), None)


def _nothing(lesson: Lesson, target: Rule | None) -> str:
    """Why a lesson without a text changes nothing."""
    if lesson.target and not target:
        return f"there is no rule {safe_word(lesson.target)} to {lesson.action}, and no text to add"
    return f"the lesson says {lesson.action}, but has no text"


def _source(failure: Failure, today: date) -> str:
    kind = failure.type.replace("_", " ")
    if failure.type is FailureType.OTHER:
        kind = "reported failure"
    return f"Learned on {today} from {kind}"


def provenance(origin: Origin) -> str:
    """What the comment of a new rule says about where it came from."""
    notes = {
        "failure": origin.failure,
        "source": origin.source,
        "run": origin.run,
        "model": origin.model,
    }
    words = {name: safe_word(value) for name, value in notes.items()}
    return ", ".join(f"{name} {word}" for name, word in words.items() if word)


def _clean(text: str) -> str:
    # Bytes that are not UTF-8 are kept in the file, but no request can carry them.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
