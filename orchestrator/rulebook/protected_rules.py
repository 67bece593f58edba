"""Find the rules that no lesson may replace or archive by itself.

What a failing test printed may have talked a teacher into a lesson. A harmless rule in the place of
"reject requests without a signature" takes a guard away, however harmless it is.
"""

from typing import Final

from orchestrator.models import Rule
from orchestrator.rulebook.screening.screen import classify
from orchestrator.rulebook.screening.security_subjects import find_protected_part

LEARNED: Final = "Learned on "
"""The beginning of the source of each rule that comes from a lesson."""


def explain_protection(rule: Rule) -> str:
    """Return why only a person may replace or archive a rule; empty if a lesson may."""
    if not rule.source.startswith(LEARNED):
        return f"{rule.id} was written by a person"
    if found := find_protected_part(rule.text):
        return f"{rule.id} may protect something ({found})"
    screening = classify(rule.text)
    return "" if screening.is_free else f"{rule.id} was approved by a person ({screening.subject})"
