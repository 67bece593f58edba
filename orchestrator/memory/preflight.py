"""What a new rule has to pass before it is written: known, turned down, contradicting, too much."""

from collections.abc import Iterable, Mapping, Sequence
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
    DUPLICATE = "duplicate"
    CONTRADICTION = "contradiction"


@dataclass(frozen=True)
class Standing:
    """What is known beside the file when a lesson comes in.

    `refused` are the rules that were turned down or withdrawn; `worth` tells how much each rule
    in force has done, by its id; a rule that is not in there is worth nothing yet.
    """

    max_rules: int | None = None
    max_tokens: int | None = None
    refused: Sequence[Rule] = ()
    worth: Mapping[str, float] = field(default_factory=dict)
    review: bool = False
    """Whether a person sees each change before it is made."""


@dataclass(frozen=True)
class Found:
    """An objection to a new rule, and the rule that it comes from."""

    objection: Objection
    rule: Rule


def fingerprint(text: RuleText) -> str:
    """16 hex digits that are equal for rules of the same words, case and punctuation aside."""
    return sha256(normalised(text).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def preflight(text: RuleText, in_force: Sequence[Rule], standing: Standing) -> Found | None:
    """Give what speaks against a new rule; None if nothing does."""
    if found := _alike(text, standing.refused, Kinship.SAME):
        return Found(Objection.REFUSED, found)
    if found := _alike(text, in_force, Kinship.SAME):
        return Found(Objection.DUPLICATE, found)
    if found := _alike(text, in_force, Kinship.OPPOSITE):
        return Found(Objection.CONTRADICTION, found)
    return None


def contradicted(text: RuleText, others: Iterable[Rule]) -> Rule | None:
    """The first rule that says the opposite."""
    return _alike(text, others, Kinship.OPPOSITE)


def leaving(rules: Sequence[Rule], newest: str, standing: Standing) -> tuple[Rule, ...]:
    """The rules that have to go for the file to fit its budget, the least valuable first.

    The newest never goes: it could not have shown its worth. Of rules worth the same, the one
    that stands first in the file, the oldest, goes.
    """
    staying, out = list(rules), []
    candidates = sorted(
        (rule for rule in rules if rule.id != newest),
        key=lambda rule: standing.worth.get(rule.id, 0.0),
    )
    for rule in candidates:
        if not _over(staying, standing):
            break
        staying.remove(rule)
        out.append(rule)
    return tuple(out)


def tokens(rule: Rule) -> int:
    """Tokens that a rule takes in every session, at four characters each (an estimate)."""
    chars = len(rule.text.rule) + len(rule.text.when) + len(rule.text.why) + len(rule.source)
    return (chars + _FRAME_CHARS) // _CHARS_PER_TOKEN


def _over(rules: Sequence[Rule], standing: Standing) -> bool:
    if standing.max_rules is not None and len(rules) > standing.max_rules:
        return True
    return standing.max_tokens is not None and sum(map(tokens, rules)) > standing.max_tokens


def _alike(text: RuleText, others: Iterable[Rule], kind: Kinship) -> Rule | None:
    same = normalised(text)
    for other in others:
        if kind is Kinship.SAME and normalised(other.text) == same:
            return other
        if compare(text, other.text) is kind:
            return other
    return None
