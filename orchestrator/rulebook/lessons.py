"""What a lesson does to the files of a rulebook: the one place that decides it."""

import difflib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

from orchestrator.models import Rule
from orchestrator.rulebook.document import free_id
from orchestrator.rulebook.pages import Pages
from orchestrator.rulebook.poison import poison_in
from orchestrator.rulebook.preflight import Objection, Standing, leaving, preflight, too_long
from orchestrator.rulebook.records import Origin, origin_of
from orchestrator.rulebook.scope import safe_globs
from orchestrator.rulebook.text import normalised, safe_text, safe_word
from teacher.models import Action, Failure, FailureType, KnownRule, Lesson, RuleText


@dataclass(frozen=True)
class Outcome:
    """The rulebook after a lesson.

    `rule` is None when the lesson changes nothing; then `reason` says why. It also says why a
    lesson is held back, and `rule` what it would have been.
    """

    pages: Pages
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


def take_in(
    pages: Pages,
    lesson: Lesson,
    failure: Failure,
    *,
    today: date,
    run: str = "",
    standing: Standing | None = None,
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
    outcome = _decided(pages, lesson, failure, today, run, standing)
    if standing and standing.review and outcome.pages != pages:
        return _waiting(pages, outcome, standing, _source(failure, today))
    return outcome


def _decided(
    pages: Pages,
    lesson: Lesson,
    failure: Failure,
    today: date,
    run: str,
    standing: Standing | None,
) -> Outcome:
    text = safe_text(lesson.text) if lesson.text else None
    target = pages.find(lesson.target) if lesson.target else None
    if lesson.action is Action.REINFORCE and target:
        return Outcome(pages.reinforce(target.id, today), target, "reinforced")
    if lesson.action is Action.NONE or text is None or not text.rule:
        return Outcome(pages, reason=_nothing(lesson, target))
    if lesson.action is not Action.AMEND:
        target = None
    taken = pages.ids | (standing.taken(text) if standing else frozenset())
    scope = safe_globs(lesson.paths) or (target.paths if target else ())
    rule = Rule(free_id(text, taken), text, _source(failure, today), scope)
    if weighed := _weighed(pages, lesson, rule, target, standing, today):
        return weighed
    if target:
        return _amended(pages, target, rule, standing, today)
    return _added(pages, rule, provenance(origin_of(lesson, failure, run)), standing)


def _weighed(
    pages: Pages,
    lesson: Lesson,
    rule: Rule,
    target: Rule | None,
    standing: Standing | None,
    today: date,
) -> Outcome | None:
    """What becomes of a rule that is not simply written, as another one for `target` if given."""
    text, amended = rule.text, target.id if target else ""
    others = [rule for rule in pages.rules if rule != target]
    found = preflight(text, others, standing) if standing else None
    if found and found.objection in (Objection.REFUSED, Objection.WAITING):
        return Outcome(pages, reason=found.words)
    if reason := poison_in(lesson):
        return Outcome(pages, rule, "quarantined", reason)
    if not target and (same := _same(others, text)):
        return Outcome(pages, same, "already known")
    if found and found.objection is Objection.DUPLICATE:
        return Outcome(pages.reinforce(found.rule.id, today), found.rule, "reinforced")
    if found:
        against = found.rule.id
        return Outcome(pages, rule, "contradiction", found.words, target=amended, against=against)
    return None


def _added(pages: Pages, rule: Rule, note: str, standing: Standing | None) -> Outcome:
    if standing and too_long(rule, standing):
        return _too_long(pages, rule, standing)
    written = pages.add(rule, note)
    rule = written.find(rule.id) or rule
    return _within_budget(Outcome(written, rule, "added"), standing)


def _too_long(pages: Pages, rule: Rule, standing: Standing, target: str = "") -> Outcome:
    reason = f"alone it is longer than rules.max_tokens, {standing.max_tokens}: shorten it"
    return Outcome(pages, rule, "waits for approval", reason, target=target)


def _waiting(pages: Pages, outcome: Outcome, standing: Standing, source: str) -> Outcome:
    """The files as they are, and what would be done to them; a reinforcement is only counted."""
    if outcome.rule is None or outcome.change == "reinforced":
        return replace(outcome, pages=pages)
    rule = outcome.rule
    if outcome.change == "amended":
        # The proposal is a rule of its own until it is approved.
        taken = pages.ids | standing.taken(rule.text)
        rule = replace(rule, id=free_id(rule.text, taken), source=source)
    return Outcome(
        pages,
        rule,
        "waits for approval",
        "learning.approval is review: `orchestrator rules pending`",
        target=outcome.target,
    )


def unified(before: Pages, after: Pages) -> str:
    """What changes in the files of a rulebook, as one unified diff."""
    lines: list[str] = []
    for name in dict.fromkeys([*before.files, *after.files]):
        old, new = (
            pages.files.get(name, b"").decode("utf-8", "replace").splitlines(keepends=True)
            for pages in (before, after)
        )
        lines += difflib.unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else f"{line}\n" for line in lines)


def _within_budget(outcome: Outcome, standing: Standing | None) -> Outcome:
    if standing is None or outcome.rule is None:
        return outcome
    pages, out = with_room(outcome.pages, outcome.rule.id, standing)
    return replace(outcome, pages=pages, leaving=out)


def with_room(pages: Pages, newest: str, standing: Standing) -> tuple[Pages, tuple[Rule, ...]]:
    """The files within their budget, and the rules that left them for it; never the newest."""
    out = leaving(pages.rules, newest, standing)
    for rule in out:
        pages = pages.remove(rule.id)
    return pages, out


def known_rules(pages: Pages) -> tuple[KnownRule, ...]:
    """The rules of a rulebook as the teacher sees them, in text that can be sent anywhere."""
    return tuple(
        KnownRule(
            rule.id,
            RuleText(_clean(rule.text.rule), _clean(rule.text.when), _clean(rule.text.why)),
            f"it is loaded only for {_clean(', '.join(rule.paths))}" if rule.paths else "",
        )
        for rule in pages.rules
        if rule.text.rule
    )


def _amended(
    pages: Pages, target: Rule, rule: Rule, standing: Standing | None, today: date
) -> Outcome:
    """Another text for `target`, that of `rule`; and its scope, if the teacher gave one."""
    written = pages.amend(target.id, rule.text, today).rescope(target.id, rule.paths)
    amended = written.find(target.id)
    if standing and amended and too_long(amended, standing):
        return _too_long(pages, rule, standing, target.id)
    outcome = Outcome(written, amended, "amended", target=target.id)
    return _within_budget(outcome, standing)


def _same(rules: Sequence[Rule], text: RuleText) -> Rule | None:
    wanted = normalised(text)
    return next((rule for rule in rules if normalised(rule.text) == wanted), None)


def _nothing(lesson: Lesson, target: Rule | None) -> str:
    """Why a lesson without a text changes nothing."""
    if lesson.action is Action.NONE:
        return lesson.reason
    if lesson.target and not target:
        return f"there is no rule {safe_word(lesson.target)} to {lesson.action}, and no text to add"
    return f"the lesson says {lesson.action}, but has no text"


def _source(failure: Failure, today: date) -> str:
    kind = failure.type.replace("_", " ")
    if failure.type is FailureType.OTHER:
        kind = "reported failure"
    name, _, record = failure.source.partition(":")
    if record:
        kind = f"{name} {safe_word(record)}"
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
