"""Recognise the language of a rule by its words.

English has a long list, of which most words must be in a text; they come from the documentation of
Python's standard library and of common packages. Of the other languages there is a short list of
words about code, and all words of a text must be in it: who writes no other words can ask for
nothing but code.
"""

import re
from typing import Final

from orchestrator.rulebook.screening.sentences import remove_code
from orchestrator.rulebook.screening.tables import read_words

_WORD: Final = re.compile(r"[a-z\u00df-\u00f6\u00f8-\u024f]+(?:'[a-z]+)?")
_KNOWN_SHARE: Final = 0.72
"""Share of the words of an English text that must be known: names of things are not."""
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
    """Return the language other than English of which all words of a text are known; or empty."""
    words = set(re.split(r"[^a-z\u00df-\u00f6\u00f8-\u024f]+", remove_code(text).casefold()))
    words -= {""} | read_words("shared")
    known = (each for each in _OTHER_LANGUAGES if words <= read_words(f"language_{each}"))
    return next(known, "")
