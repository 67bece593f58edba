"""Recognise what a rule about code asks for.

A request is accepted if its verb is one of writing code, or if it is a statement about code. Any
other verb is not understood, and what is not understood waits for a person.
"""

import re
from typing import Final

from orchestrator.rulebook.screening.languages import is_english_word
from orchestrator.rulebook.screening.sentences import Segment, list_sentences, remove_code
from orchestrator.rulebook.screening.tables import read_pattern, read_words

_MODAL_VERB: Final = re.compile(
    r"\b(?:must|should|shall|may|can|will)(?: not| never| always| only| also)? ([a-z'-]+)"
)
_WORD: Final = re.compile(r"[a-z'\u00c0-\u024f-]+")
_PLACEHOLDER: Final = "\x02"


def find_unknown_request(segments: list[Segment]) -> str:
    """Return the verb of a request that no rule about code makes; empty if there is none."""
    for segment in segments:
        for sentence in list_sentences(segment.text):
            if unknown := _find_unknown_verb(sentence):
                return unknown
    return ""


_SWITCHED_FEATURE: Final = re.compile(
    r"^(?:disable|enable|turn (?:on|off)|switch (?:on|off)) (?:the )?(?:\x02|autoflush|autocommit"
    r"|caching|cache|buffering|animations?|pagination|sorting|interning|echo|propagation|lazy|eager"
    r"|prefetch\w*|gc|garbage|retries|signals|smoothing|antialiasing|vsync|interpolation|rounding"
    r"|index\w*|inference|autocomplete|autofill)\b"
)
"""Features of code that may be switched; whatever else is disabled is not understood."""


def _find_unknown_verb(sentence: str) -> str:
    plain = remove_code(sentence).casefold()
    for modal in _MODAL_VERB.finditer(plain):
        if modal[1] not in read_words("code_verbs") and modal[1] not in read_words("auxiliaries"):
            return modal[1]
    if _SWITCHED_FEATURE.match(plain.strip()):
        return ""
    for clause in re.split(r",\s+(?:and |then |so )?|\s+(?:and then|then)\s+", plain):
        if word := _find_unknown_opening(clause):
            return word
    return ""


def _find_unknown_opening(clause: str) -> str:
    """Return the first word of a clause if it may be a verb that is not in the tables."""
    words = clause.split()
    for position, word in enumerate(words):
        bare = word.strip(".,;:!?()'\"\u2026")
        if word == _PLACEHOLDER or len(bare) == 1 or not _WORD.fullmatch(bare):
            return ""
        if bare in read_words("openers") or bare.endswith("ly"):
            continue
        if _is_known_opening(bare):
            return ""
        is_noun = (position or _is_plural(words[1:2])) and (
            read_pattern("statements").search(" ".join(words[position + 1 :]))
            or (position and words[position - 1] in read_words("noun_openers"))
        )
        return "" if is_noun else bare
    return ""


def _is_known_opening(word: str) -> bool:
    """Return whether a word is a verb of writing code, or no verb at all."""
    if word in read_words("code_verbs") or word in read_words("nouns"):
        return True
    if word.endswith(("ing", "ed", "tion")):
        return True
    if word.endswith("s") and word not in read_words("verbs_in_s"):
        return True
    return is_english_word(word) and not _is_verb(word)


def _is_plural(words: list[str]) -> bool:
    """Return whether a noun in the plural comes first, as in "dose ranges include ..."."""
    return any(word.endswith("s") and is_english_word(word) for word in words)


def _is_verb(word: str) -> bool:
    """Return whether the list of English words has an inflected form of a verb for this word."""
    stem = word.removesuffix("e")
    forms = (stem + "ing", stem + "ed", stem + word[-1] + "ing", stem + word[-1] + "ed")
    return any(map(is_english_word, forms))
