"""What a new rule has to pass before it is written: known, turned down, contradicting, too much."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Final

from orchestrator.memory.likeness import Kinship, compare
from orchestrator.memory.text import normalised
from orchestrator.models import Rule
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
class Standing:
    """What is known beside the file when a lesson comes in.

    `refused` are the rules that were turned down or withdrawn, and `waiting` those that wait for a
    person; `known` has the fingerprint of every rule that ever was, by its id. `worth` tells how
    much each rule in force has done; a rule that is not in there is worth nothing yet.
    """

    max_rules: int | None = None
    max_tokens: int | None = None
    refused: Sequence[Rule] = ()
    waiting: Sequence[Rule] = ()
    known: Mapping[str, str] = field(default_factory=dict)
    worth: Mapping[str, float] = field(default_factory=dict)
    review: bool = False
    """Whether a person sees each change before it is made."""

    def taken(self, text: RuleText) -> frozenset[str]:
        """The ids of rules with another text, which a rule with this one cannot have."""
        own = fingerprint(text)
        return frozenset(rule for rule, mark in self.known.items() if mark != own)


@dataclass(frozen=True)
class Found:
    """An objection to a new rule, and the rule that it comes from."""

    objection: Objection
    rule: Rule

    @property
    def words(self) -> str:
        """The objection in a line."""
        rule, said = self.rule.id, self.rule.text.rule
        return {
            Objection.REFUSED: f"it was turned down before, as {rule}",
            Objection.WAITING: f"it waits for your word already, as {rule}",
            Objection.DUPLICATE: f"{rule} says that already: {said}",
            Objection.CONTRADICTION: f"it contradicts {rule}: {said}",
        }[self.objection]


def fingerprint(text: RuleText) -> str:
    """16 hex digits that are equal for rules of the same words, case and punctuation aside."""
    return sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def preflight(text: RuleText, in_force: Sequence[Rule], standing: Standing) -> Found | None:
    """Give what speaks against a new rule; None if nothing does."""
    for objection, rules in (
        (Objection.DUPLICATE, in_force),
        (Objection.REFUSED, standing.refused),
        (Objection.WAITING, standing.waiting),
    ):
        for rule in rules:
            if says_the_same(text, rule.text):
                return Found(objection, rule)
    for rule in in_force:
        if compare(text, rule.text) is Kinship.OPPOSITE:
            return Found(Objection.CONTRADICTION, rule)
    return None


def says_the_same(text: RuleText, other: RuleText) -> bool:
    """Whether two texts are one rule."""
    return normalised(text) == normalised(other) or compare(text, other) is Kinship.SAME


def leaving(rules: Sequence[Rule], newest: str, standing: Standing) -> tuple[Rule, ...]:
    """The rules that have to go for the file to fit its budget, the least valuable first.

    The newest never goes: it could not have shown its worth. Of rules worth the same, the one
    that stands first in the file, the oldest, goes. A rule for some files alone takes no tokens
    of every session, so it makes no room for them.
    """
    staying = list(rules)
    candidates = sorted(
        (rule for rule in rules if rule.id != newest),
        key=lambda rule: standing.worth.get(rule.id, 0.0),
    )
    for rule in candidates:
        if _too_many(staying, standing) or (not rule.paths and _too_long(staying, standing)):
            staying.remove(rule)
    for rule in reversed(candidates):  # one that left in vain, for a longer one left too, stays
        if rule not in staying and _fits([*staying, rule], standing):
            staying.append(rule)
    return tuple(rule for rule in candidates if rule not in staying)


def too_long(rule: Rule, standing: Standing) -> bool:
    """Whether a rule would not fit even alone."""
    return _too_long([rule], standing)


def tokens(rule: Rule) -> int:
    """Tokens that a rule takes in every session, at four characters each (an estimate)."""
    chars = len(rule.text.rule) + len(rule.text.when) + len(rule.text.why) + len(rule.source)
    return (chars + _FRAME_CHARS) // _CHARS_PER_TOKEN


def _fits(rules: Sequence[Rule], standing: Standing) -> bool:
    return not _too_many(rules, standing) and not _too_long(rules, standing)


def _too_many(rules: Sequence[Rule], standing: Standing) -> bool:
    return standing.max_rules is not None and len(rules) > standing.max_rules


def _too_long(rules: Sequence[Rule], standing: Standing) -> bool:
    always = sum(tokens(rule) for rule in rules if not rule.paths)
    return standing.max_tokens is not None and always > standing.max_tokens
