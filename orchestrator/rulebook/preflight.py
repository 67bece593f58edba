"""Check a new rule before it is written: known, rejected, contradicting, or too long."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import Final

from orchestrator.models import Approval, Rule
from orchestrator.rulebook.protected_rules import explain_protection
from orchestrator.rulebook.similarity import RuleRelation, Shortlist, compare_rules
from orchestrator.rulebook.text import normalize_text
from teacher.models import RuleText

_CHARS_PER_TOKEN: Final = 4
_FRAME_CHARS: Final = 40
"""Characters of the bullets' own marks: `- **Rule**: ` and its like."""


class Objection(StrEnum):
    """Why a new rule is not simply written."""

    REFUSED = "refused"
    WAITING = "waiting"
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True)
class PreflightContext:
    """What the history knows when a lesson is decided on.

    `refused_rules` were rejected or withdrawn, `pending_rules` wait for a person; `fingerprints`
    are those of all rules ever known, by id. `worth` is the value of each active rule; 0 if it is
    missing.
    """

    max_rules: int | None = None
    max_tokens: int | None = None
    refused_rules: Sequence[Rule] = ()
    pending_rules: Sequence[Rule] = ()
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    worth: Mapping[str, float] = field(default_factory=dict)
    approval: Approval = Approval.AUTO

    def find_reserved_ids(self, text: RuleText) -> frozenset[str]:
        """Return the ids of rules with another text, which a rule with this text cannot have."""
        own = fingerprint_text(text)
        return frozenset(rule for rule, mark in self.fingerprints.items() if mark != own)


@dataclass(frozen=True)
class RuleConflict:
    """An objection to a new rule, and the rule that it comes from."""

    objection: Objection
    rule: Rule

    @property
    def message(self) -> str:
        """The objection in a line."""
        rule, said = self.rule.id, self.rule.text.rule
        return {
            Objection.REFUSED: f"it was rejected before, as {rule}",
            Objection.WAITING: f"it waits for your approval already, as {rule}",
            Objection.DUPLICATE: f"{rule} says that already: {said}",
            Objection.CONTRADICTION: f"it contradicts {rule}: {said}",
        }[self.objection]


@lru_cache(maxsize=4096)
def fingerprint_text(text: RuleText) -> str:
    """Return 16 hex digits, equal for rules with the same words, whatever case and punctuation."""
    return sha256(normalize_text(text).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def find_conflict(
    text: RuleText, active: Sequence[Rule], context: PreflightContext
) -> RuleConflict | None:
    """Return the first objection to a new rule; None if there is none."""
    close = find_related_rules(text, active)
    for objection, rules in (
        (Objection.DUPLICATE, close),
        (Objection.REFUSED, find_related_rules(text, context.refused_rules)),
        (Objection.WAITING, find_related_rules(text, context.pending_rules)),
    ):
        for rule in rules:
            if is_same_rule(text, rule.text):
                return RuleConflict(objection, rule)
    for rule in close:
        if compare_rules(text, rule.text) is RuleRelation.OPPOSITE:
            return RuleConflict(Objection.CONTRADICTION, rule)
    return None


def find_related_rules(text: RuleText, rules: Sequence[Rule]) -> Sequence[Rule]:
    """Return the rules that may be the same as a text, or contradict it, in their order.

    Comparing with each rule would make the hundredth rule a hundred times as slow as the first.
    """
    return [
        rules[number] for number in Shortlist([rule.text for rule in rules]).find_candidates(text)
    ]


def is_same_rule(text: RuleText, other: RuleText) -> bool:
    """Return whether two texts are the same rule."""
    return (
        normalize_text(text) == normalize_text(other)
        or compare_rules(text, other) is RuleRelation.SAME
    )


def choose_evictions(
    rules: Sequence[Rule], newest: str, context: PreflightContext
) -> tuple[Rule, ...]:
    """Return the rules that have to leave for the files to fit the budget, least valuable first.

    The newest never goes: it could not have shown its worth. Rules that only a person may archive
    go last. Of rules worth the same, the one that stands first in the file, the oldest, goes. A
    rule for some files alone takes no tokens of every session, so it makes no room for them.
    """
    load = _BudgetUsage(context)
    for rule in rules:
        load.add_rule(rule)
    candidates = sorted(
        (rule for rule in rules if rule.id != newest),
        key=lambda rule: (bool(explain_protection(rule)), context.worth.get(rule.id, 0.0)),
    )
    gone: list[Rule] = []
    for rule in candidates:
        if load.has_too_many_rules or (not rule.paths and load.has_too_many_tokens):
            load.remove_rule(rule)
            gone.append(rule)
    back: set[str] = set()
    for rule in reversed(gone):  # one that left in vain, as a longer one left too, stays
        load.add_rule(rule)
        if load.has_too_many_rules or load.has_too_many_tokens:
            load.remove_rule(rule)
        else:
            back.add(rule.id)
    return tuple(rule for rule in gone if rule.id not in back)


def is_too_long(rule: Rule, context: PreflightContext) -> bool:
    """Return whether a rule would not fit even alone."""
    load = _BudgetUsage(context)
    load.add_rule(rule)
    return load.has_too_many_tokens


def count_tokens(rule: Rule) -> int:
    """Return the tokens that a rule uses in every session, estimated at four characters each."""
    chars = len(rule.text.rule) + len(rule.text.when) + len(rule.text.why) + len(rule.source)
    return (chars + _FRAME_CHARS) // _CHARS_PER_TOKEN


class _BudgetUsage:
    """Counts what some rules take of the budget, rule by rule."""

    def __init__(self, context: PreflightContext) -> None:
        self._context, self._rules, self._tokens = context, 0, 0

    def add_rule(self, rule: Rule) -> None:
        """Count one more rule."""
        self._adjust_counts(rule, 1)

    def remove_rule(self, rule: Rule) -> None:
        """Count a rule no longer."""
        self._adjust_counts(rule, -1)

    def _adjust_counts(self, rule: Rule, sign: int) -> None:
        self._rules += sign
        self._tokens += 0 if rule.paths else sign * count_tokens(rule)

    @property
    def has_too_many_rules(self) -> bool:
        """Whether there are more rules than may be."""
        most = self._context.max_rules
        return most is not None and self._rules > most

    @property
    def has_too_many_tokens(self) -> bool:
        """Whether they take more tokens of every session than they may."""
        most = self._context.max_tokens
        return most is not None and self._tokens > most
