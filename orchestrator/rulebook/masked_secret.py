"""Find lessons from which a secret was masked.

Such a lesson was paid for, so it is not dropped. But a rule with a placeholder in it says nothing,
and nobody knows what else the teacher copied from the evidence: it waits for a person.
"""

from orchestrator.masking import REDACTED
from teacher.models import Lesson


def find_masked_secret(lesson: Lesson) -> str:
    """Return why a lesson is held back because of a masked secret; empty if it has none."""
    text = lesson.text
    parts = (text.rule, text.when, text.why, *lesson.paths) if text else ()
    if any(REDACTED in part for part in parts):
        return "it contained what looks like a secret, which was masked"
    return ""
