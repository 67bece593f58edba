"""The rules that a teacher is shown: the active ones, and those that a person rejected."""

from collections.abc import Sequence
from itertools import islice
from typing import Final

from orchestrator.models import Rule
from orchestrator.rulebook.history import History
from orchestrator.rulebook.preflight import is_same_rule
from orchestrator.rulebook.rule_file_set import RuleFileSet
from orchestrator.rulebook.screening.screen import screen
from orchestrator.rulebook.similarity import Shortlist
from teacher.models import KnownRule, RuleText

_MAX_REFUSED_RULES: Final = 20
"""Rejected rules that a teacher is shown: the newest."""
_HAND_WRITTEN_NOTE: Final = "written by a person, who alone may change it"
_REFUSED_NOTE: Final = "rejected by a person: it is not active, and must not be proposed again"


def list_known_rules(file_set: RuleFileSet) -> tuple[KnownRule, ...]:
    """Return the rules in the files as the teacher sees them, in text that any request can carry.

    With the hand-written ones, which Claude Code loads too: a lesson need not repeat them.
    """
    hand_written = {rule.id for rule in file_set.hand_written}
    return tuple(
        KnownRule(
            rule.id,
            RuleText(
                _replace_surrogates(rule.text.rule),
                _replace_surrogates(rule.text.when),
                _replace_surrogates(rule.text.why),
            ),
            _describe_limits(rule, is_hand_written=rule.id in hand_written),
        )
        for rule in file_set.all_rules
        if rule.text.rule
    )


def _describe_limits(rule: Rule, *, is_hand_written: bool) -> str:
    scope = f"it is loaded only for {_replace_surrogates(', '.join(rule.paths))}"
    notes = (_HAND_WRITTEN_NOTE * is_hand_written, scope * bool(rule.paths))
    return "; ".join(filter(None, notes))


def list_refused_rules(history: History, active: Sequence[Rule]) -> Sequence[KnownRule]:
    """Return the rules that a teacher must not propose again, the last rejected at the end.

    Without those that are active all the same, and without those that are about anything but code:
    showing the text of an attack to the teacher would give it a second chance.
    """
    texts = [rule.text for rule in active]
    shortlist = Shortlist(texts)

    def is_active(refused: RuleText) -> bool:
        candidates = shortlist.find_candidates(refused)
        return any(is_same_rule(refused, texts[number]) for number in candidates)

    refused = (
        KnownRule(refusal.rule, refusal.text, _REFUSED_NOTE)
        for refusal in reversed(history.list_refusals())
        if screen(refusal.text).is_free and not is_active(refusal.text)
    )
    return tuple(islice(refused, _MAX_REFUSED_RULES))[::-1]


def _replace_surrogates(text: str) -> str:
    # Bytes that are not UTF-8 stay in the file, but no request can carry them.
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
