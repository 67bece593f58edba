"""Recognise the language of a rule by its words.

English has a long list, of which most words must be in a text; they come from the documentation of
Python's standard library and of common packages. Of the other languages there is a short list of
words about code, of which most words of a text must be, the first one among them; and no word may
begin like one about something else.
"""

import re
from collections.abc import Sequence
from typing import Final

from orchestrator.rulebook.screening.sentences import remove_code
from orchestrator.rulebook.screening.tables import read_words

_WORD: Final = re.compile(r"[a-z\u00df-\u00f6\u00f8-\u024f]+(?:'[a-z]+)?")
_KNOWN_SHARE: Final = 0.72
"""Share of the words of an English text that must be known: names of things are not."""
_KNOWN_SHARE_ELSEWHERE: Final = 0.6
_MOST_FREE: Final = 2
"""Unknown words that a text may have whatever their share, if it has as many known ones."""

_OTHER_LANGUAGES: Final = ("german", "french", "spanish", "italian", "portuguese", "dutch")


def is_known_language(text: str) -> bool:
    """Return whether the words of a text are English, or all of them words about code.

    Args:
        text: the fields of a rule, joined.
    """
    words = [word for word in _WORD.findall(remove_code(text).casefold()) if len(word) > 1]
    if not words:
        return True
    unknown = sum(word.removesuffix("'s") not in read_words("english") for word in words)
    if unknown <= (1 - _KNOWN_SHARE) * len(words) or unknown <= min(_MOST_FREE, len(words) // 2):
        return True
    return find_other_language(text) != ""


def is_english_word(word: str) -> bool:
    """Return whether a word is in the list of English words."""
    return word in read_words("english")


def find_other_language(text: str) -> str:
    """Return the language other than English that a text about code is in; empty if none is."""
    words = re.split(r"[^a-z\u00df-\u00f6\u00f8-\u024f]+", remove_code(text).casefold())
    words = [word for word in words if len(word) > 1 and word not in read_words("shared")]
    if any(word.startswith(stem) for word in words for stem in read_words("foreign_stems")):
        return ""
    known = (each for each in _OTHER_LANGUAGES if _is_about_code(words, each))
    return next(known, "")


def _is_about_code(words: Sequence[str], language: str) -> bool:
    """Return whether most words are about code, the first one, often a verb, among them."""
    known = [word in read_words(f"language_{language}") for word in words]
    return all(known[:1]) and known.count(False) <= (1 - _KNOWN_SHARE_ELSEWHERE) * len(known)
