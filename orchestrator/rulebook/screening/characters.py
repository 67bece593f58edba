"""Allow only characters that a reader sees, and can distinguish from others.

The list says what is allowed. A list of what is forbidden is never complete: variation selectors,
Hangul fillers and joiners are invisible, and letters of another script look like Latin ones.
"""

import re
import unicodedata
from typing import Final

_ALLOWED_CATEGORIES: Final = frozenset(("Lu", "Ll", "Lt", "Lo", "Nd", "No", "Sc", "Sm", "So"))
_ALLOWED_SIGNS: Final = frozenset(
    "\u2013\u2014\u2018\u2019\u201a\u201c\u201d\u201e\u2026\u00a7\u00ab\u00bb\u2022\u00b7\u00a1\u00bf\u00b6\u00a0"
)
"""Dashes, quotation marks and the like."""
_SYMBOLS: Final = frozenset(
    "\u03bc\u0394\u03b4\u03bb\u03c0\u03c3\u03a3\u03a9\u03c9\u03b8\u0398\u03c6\u03a6\u03c8\u03b5\u03b2\u0393\u03b3\u03be"
)
"""Greek letters that stand for units and quantities, and do not look like Latin ones."""
_IGNORABLE: Final = re.compile("[\u115f\u1160\u3164\uffa0\u17b4\u17b5\u2800]")
"""Letters and symbols of an allowed category that are shown as nothing, or as a space (Unicode's
Default_Ignorable_Code_Point, and the empty Braille pattern)."""
_WORD: Final = re.compile(r"[^\W\d_]+")
_SINGLE_LETTERS: Final = re.compile(r"(?<!\w)(?:[^\W\d_][\s.\-_*]+){3,}[^\W\d_](?!\w)")
_MIXED_WORD: Final = re.compile(
    r"(?<![\w`'\"./-])(?=[a-z]*[0-9])(?=[0-9]*[a-z])[a-z0-9]{3,}(?![\w`'\"./(-])"
)
_LETTERS: Final = (str.maketrans("013457", "oleast"), str.maketrans("013457", "oieast"))
_CODE_SPAN: Final = re.compile(r"`[^`]*`")


def find_bad_characters(text: str) -> str:
    """Return what is wrong with the characters of a text; empty if nothing is."""
    composed = unicodedata.normalize("NFC", text)
    for char in composed:
        if not _is_allowed(char):
            return f"{_name_kind(char)} (U+{ord(char):04X})"
    if any(_has_compatibility_form(char) for char in composed):
        return "letters that look like others"
    if any(len(_list_scripts(word)) > 1 for word in _WORD.findall(composed)):
        return "letters that look like others"
    if _SINGLE_LETTERS.search(_CODE_SPAN.sub(" ", composed)):
        return "words that are spelled letter by letter"
    return ""


def list_words_with_digits(text: str) -> list[str]:
    """Return the words outside code that mix digits and letters, read as if all were letters."""
    words = _MIXED_WORD.findall(_CODE_SPAN.sub(" ", text.casefold()))
    return [word.translate(letters) for word in words for letters in _LETTERS]


def has_foreign_script(text: str) -> bool:
    """Return whether a text has words in a script other than Latin; single letters are symbols."""
    words = (word for word in _WORD.findall(text) if len(word) > 1)
    return any(_list_scripts(word) - {"LATIN"} for word in words)


def _is_allowed(char: str) -> bool:
    if char.isascii():
        return char.isprintable() or char in "\t\n"
    if _IGNORABLE.match(char):
        return False
    return char in _ALLOWED_SIGNS or unicodedata.category(char) in _ALLOWED_CATEGORIES


def _name_kind(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf" and unicodedata.bidirectional(char) in _BIDI_CONTROLS:
        return "characters that turn the direction of text"
    if category.startswith("C") and category != "Cf":
        return "control characters"
    return "invisible or unusual characters"


_BIDI_CONTROLS: Final = frozenset(
    ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI", "L", "R", "AL")
)


def _has_compatibility_form(char: str) -> bool:
    """Return whether a letter is another form of an ASCII one, such as fullwidth."""
    if char.isascii() or not unicodedata.category(char).startswith(("L", "So")):
        return False
    plain = unicodedata.normalize("NFKC", char)
    return plain != char and plain.isascii() and plain.isalpha()


def _list_scripts(word: str) -> set[str]:
    """Return the scripts of a word, by the first word of each letter's name (LATIN, CYRILLIC)."""
    names = (unicodedata.name(char, "UNKNOWN").partition(" ")[0] for char in word)
    scripts = {
        name for name in names if name not in ("MICRO", "FEMININE", "MASCULINE", "INCREMENT")
    }
    greek = [char for char in word if unicodedata.name(char, "").startswith("GREEK")]
    return scripts - {"GREEK"} if len(greek) == 1 and greek[0] in _SYMBOLS else scripts
