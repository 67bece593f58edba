"""Decide whether a rule may become active by itself."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from orchestrator.rulebook.screening.characters import (
    find_bad_characters,
    has_foreign_script,
    list_words_with_digits,
)
from orchestrator.rulebook.screening.languages import (
    find_other_language,
    is_english_word,
    is_known_language,
)
from orchestrator.rulebook.screening.marks import find_marks, is_plain_glob
from orchestrator.rulebook.screening.outside_subjects import (
    find_directive_subject,
    find_outside_subject,
    find_scope_subject,
)
from orchestrator.rulebook.screening.security_subjects import find_unsafe_part
from orchestrator.rulebook.screening.sentences import flatten_text, iter_segments
from orchestrator.rulebook.screening.subjects import Subject
from orchestrator.rulebook.screening.verbs import find_unknown_request
from teacher.models import RuleText

_GERUND: Final = re.compile(
    r"^(?:when |while |before )?(?:editing|changing|updating|adapting|adjusting|modifying|renaming"
    r"|moving|replacing|rewriting|running|executing)\b",
    re.IGNORECASE,
)
"""The situation in which a rule applies may be a change; only what is asked for in it matters."""


@dataclass(frozen=True)
class Screening:
    """What a rule is about, and whether it contains what no rule needs."""

    subject: Subject
    evidence: str = ""
    """The words that decided; empty for `CODE`."""
    defect: str = ""
    """What the rule contains that may deceive a reader; empty if nothing."""

    @property
    def is_free(self) -> bool:
        """Whether the rule may become active without a person."""
        return self.subject is Subject.CODE and not self.defect

    @property
    def reason(self) -> str:
        """Why a person has to decide, in a line; empty if nobody has to."""
        if self.defect:
            return f"it carries {self.defect}"
        if self.subject is Subject.CODE:
            return ""
        if self.subject is Subject.UNCLEAR:
            return f"it is not clear what it is about: {self.evidence}"
        return f"it is about {self.subject}: {self.evidence}"


def screen(text: RuleText, paths: Sequence[str] = ()) -> Screening:
    """Return what a rule is about.

    Args:
        text: the rule as the teacher wrote it, before anything is removed.
        paths: its scope.
    """
    if defect := _find_defect(text, paths):
        return Screening(Subject.UNCLEAR, defect=defect)
    return classify(text, paths)


def classify(text: RuleText, paths: Sequence[str] = ()) -> Screening:
    """Return what a rule is about, whatever it contains."""
    if found := find_scope_subject(paths):
        return Screening(*found)
    return _find_subject(text) or _find_ambiguity(text) or Screening(Subject.CODE)


def _find_subject(text: RuleText) -> Screening | None:
    """Return what a rule is about if that is not code."""
    request = find_outside_subject(text.rule) or find_outside_subject(_GERUND.sub("", text.when))
    if found := request or find_directive_subject(text.why):
        return Screening(*found)
    segments = list(iter_segments(text.rule))
    unsafe = find_unsafe_part(segments, flatten_text(text.when), flatten_text(text.why))
    return Screening(Subject.SECURITY, unsafe) if unsafe else None


def _find_ambiguity(text: RuleText) -> Screening | None:
    """Return why a rule cannot be classified; None if it can be."""
    fields = (text.rule, text.when, text.why)
    whole = "\n".join(fields)
    is_known = is_known_language(whole) or all(map(is_known_language, fields))
    if has_foreign_script(whole) or not is_known:
        return Screening(Subject.UNCLEAR, "its language is not known here")
    if any(map(is_english_word, list_words_with_digits(whole))):
        return Screening(Subject.UNCLEAR, "digits stand for letters")
    if find_other_language(text.rule):
        return None
    verb = find_unknown_request(list(iter_segments(text.rule)))
    return Screening(Subject.UNCLEAR, f"`{verb}` is not known here") if verb else None


def _find_defect(text: RuleText, paths: Sequence[str]) -> str:
    for field in (text.rule, text.when, text.why, *paths):
        if found := find_bad_characters(field) or find_marks(field):
            return found
    if any(not is_plain_glob(path) for path in paths):
        return "a text in its scope"
    return ""
