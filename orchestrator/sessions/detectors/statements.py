"""Recognize words that ask for nothing which could be learned: how things are, or one object.

In doubt a text is neither: a wrong candidate costs the teacher a look, a lost one is lost. Only
English statements are recognized.
"""

import re
from typing import Final

_ASKS: Final = re.compile(
    r"\b(?:should(?! have\b)|must|need|needs|(?:have|has|had) to|ought|don'?t|do not|never|always"
    r"|instead|prefere?|rather|let'?s|let us|please|want|wants|avoid|make sure|only|supposed"
    r"|would have thought|on purpose|did(?: not|n't) (?:say|ask|want|mean)|not allowed"
    r"|we (?:also )?(?:use|keep|follow|put|write|call|name|test|run)|better to|use|stop|try)\b"
)
"""Says at any place that something is asked for, or how a project does things."""
_FILLER: Final = (
    r"(?:(?:lol|oh|huh|ugh|hmm+|well|actually|also|so|but|and|nah|yeah|ok|okay)\b\W*){0,3}"
)
_PERSON: Final = "(?:i|we|they|you)"
_THING: Final = (
    r"(?:it|that|this|there|he|she|(?:the|our|my|your|this|that) \S+(?: \S+){0,3}"
    r"|[\w./-]+(?: \w+)?)"
)
_VERB: Final = (
    r"(?:is|are|was|were|has|had|does|did|got|looks|seems|starts|fails|works|happens|fixes|broke)\b"
)
_OF_PERSONS: Final = (
    r"(?:am|are|were|have|had|do|did|got|look|seem|guess|think|tried|ran|continued|can see)\b"
)
_ADVERB: Final = "(?:already |just |also |still |do )?"
_STATES: Final = re.compile(
    rf"{_FILLER}(?:(?:{_PERSON}|{_THING})(?:'s|'m|'re|'ve)\b"
    rf"|{_PERSON} {_ADVERB}{_OF_PERSONS}|{_THING} {_ADVERB}{_VERB}"
    r"|(?:too|so|very|way too|quite|pretty) \w+\W*\Z)"
)
_PATHS_ONLY: Final = re.compile(r"(?:[\w@-]*[./][\w./@-]+|and|or|[,;\s])+")
_OBJECT: Final = re.compile(
    r"(?i:\b[a-z][a-z0-9+.-]{1,10}://\S|[\w.+-]{1,64}@[\w-]{1,64}\.\w)"
    r"|(?<![\w/])#\d|\b(?:PR|MR|pull request|issue|ticket)s? (?:on |number )?#?\d"
    r"|\b[A-Z]{2,8}-\d{1,6}\b(?<!UTF-8)(?<!SHA-256)"
    r"|\b(?=[0-9a-f]{0,12}\d)(?=[0-9a-f]{0,12}[a-f])[0-9a-f]{7,40}\b"
)
_IN_GENERAL: Final = re.compile(
    r"(?i)\b(?:always|never|every|each|all|any|whenever|immer|nie|niemals|siempre|nunca|toujours"
    r"|jamais)\b"
)
_MOST_READ: Final = 2_000


def is_statement(sentences: list[str]) -> bool:
    """Return whether all sentences of a text only say how things are, or what does not work.

    Args:
        sentences: in small letters, without code.
    """
    asks = any(_ASKS.search(each) for each in sentences)
    return bool(sentences) and not asks and all(map(_states, sentences))


def is_about_one_object(text: str) -> bool:
    """Return whether a text is about an address, an issue or an id, and not meant in general."""
    text = text[:_MOST_READ]
    return _OBJECT.search(text) is not None and _IN_GENERAL.search(text) is None


def _states(sentence: str) -> bool:
    return _STATES.match(sentence) is not None or _PATHS_ONLY.fullmatch(sentence) is not None
