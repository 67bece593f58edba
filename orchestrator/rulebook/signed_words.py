"""Read a rule as words with signs: what it asks for, and what it forbids.

The tables say which words mean the same, or the opposite, in rules about code.
"""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Final

from orchestrator.rulebook.text import MAX_CHARS

_NUMBERS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_QUOTES: Final = re.compile(r"[`\"'\u2019*]")
_Replacement = str | Callable[[re.Match[str]], str]
_PHRASES: Final[tuple[tuple[str, _Replacement], ...]] = (
    (r"\b(?:do|does|must|should|can)(?: not|nt)\b|\bcannot\b", " never "),
    (r"\b(?:is|are|was|were)(?: not|nt)\b", " isnt "),
    (r"\b(?:prefer|try|take care) not to\b", " never "),
    (r"\b(?:under no circumstances|at no time|by no means|no longer)\b", " never "),
    (r"\b(?:rarely|seldom|hardly ever)\b", " never "),
    (r"\b(?:there is )?no need to\b", " never "),
    (r"\b(?:stop|quit|cease)(?= \w+ing\b)", " unask "),
    (r"\b(?:refrain|abstain) from\b|\b(?:refuse|decline) to\b", " unask "),
    (r"\b(?:stay|keep|steer) (?:away from|clear of)\b", " unask "),
    (r"\b(?:keep|leave)\b([^;,.]*?)\bout of\b", r" unask put \1 in "),
    (r"\bexcept (?:for|in|if|when)\b|\bunless\b", " without "),
    (r"\b(?:instead of|rather than|in place of)\b", " ; never "),
    (r"\b(prefer\b[^;,]*?) (?:over|to)\b", r"\1 ; never "),
    (r"\bleave(s)? out\b", " omit "),
    (r"\b(?:time zone|time-zone)", "timezone"),
    (r"\bwhite[ -]space", "whitespace"),
    (r"\bre-(?=[a-z])", "re"),
    (r"\bbut\b", " ; "),
    (rf"\b(?:{'|'.join(_NUMBERS)})\b", lambda found: str(_NUMBERS.index(found[0]))),
    (r"(?<=\d) ?(?:s|secs?)\b", " second"),
    (r"(?<=\d)(?=(?:ms|min|h|[kmg]i?b|px)\b)", " "),
)
_TOKEN: Final = re.compile(r"[^\W_](?:[\w./-]*\w)?|_\w+|[=!<>]=|[;,:.](?=\s|$)")
_PUNCTUATION: Final = frozenset(";,:.")
_NOT: Final = frozenset(("never", "avoid", "not", "no"))
_OMIT_VERBS: Final = ("skip", "omit", "bypass", "ignore")
"""Verbs that ask to leave what follows; `never skip X` asks for it again."""
_NEGATIVE_PREFIXES: Final = ("a", "un", "in", "im", "ir", "il", "non", "dis", "de", "mis")
"""What in front of a word makes it the opposite."""
_STOP_WORDS: Final = (
    "a an the and or to of for in on at by with from as into it its they them their that this "
    "these those is are be been was were you your we i if when whenever while then so use using "
    "used always must should shall will would can do does done prefer every each all any only "
    "instead also first make sure ensure need needs have has please just via there"
)
_STOP: Final = frozenset(_STOP_WORDS.split())
_SAME_WORDS: Final = (
    ("modify", "mutate", "alter", "change", "edit"),
    ("dict", "dictionary"),
    ("function", "method"),
    ("raise", "throw"),
    ("int", "integer"),
    ("str", "string"),
    ("log", "logs"),
    ("param", "parameter", "argument", "arg"),
    ("remove", "delete", "drop"),
    ("verify", "check", "validate"),
    ("compute", "calculate"),
    ("catch", "handle"),
    ("directory", "folder"),
    ("millisecond", "ms"),
)
_ANTONYMS: Final = (
    ("before", "after"),
    ("ascending", "descending"),
    ("inclusive", "exclusive"),
    ("include", "exclude"),
    ("enable", "disable"),
    ("allow", "reject"),
    ("allow", "forbid"),
    ("accept", "reject"),
    ("add", "remove"),
    ("raise", "return"),
    ("up", "down"),
    ("up", "even"),
    ("least", "most"),
    ("minimum", "maximum"),
    ("first", "last"),
    ("sync", "async"),
    ("lazily", "eagerly"),
    ("tabs", "spaces"),
    ("single", "double"),
    ("public", "private"),
    ("relative", "absolute"),
    ("mutable", "immutable"),
    ("utc", "local"),
    ("strict", "lenient"),
    ("upper", "lower"),
    ("uppercase", "lowercase"),
    ("keep", "remove"),
    ("open", "close"),
    ("lock", "unlock"),
    ("true", "false"),
    ("global", "local"),
    ("show", "hide"),
    ("encode", "decode"),
    ("encrypt", "decrypt"),
    ("increase", "decrease"),
    ("append", "overwrite"),
    ("append", "prepend"),
    ("preserve", "trim"),
    ("keep", "drop"),
    ("early", "late"),
    ("mock", "real"),
    ("start", "stop"),
    ("top", "bottom"),
    ("left", "right"),
    ("old", "new"),
    ("push", "pull"),
    ("trust", "check"),
    ("success", "failure"),
    ("parallel", "sequential"),
)


@lru_cache(maxsize=16384)
def join_hyphens(word: str) -> str:
    """Return a word without its hyphens and its ending."""
    return _strip_ending(word.replace("-", ""))


@lru_cache(maxsize=8192)  # each active rule is compared with each new one
def sign_words(text: str) -> Mapping[str, int]:
    """Return the words that carry meaning: 1 for asked for, -1 for forbidden, 0 for both."""
    signs: dict[str, int] = {}
    # People may write a book into one bullet: the time that patterns take grows with its square.
    for word, sign in _iter_signed_words(text[:MAX_CHARS]):
        signs[word] = sign if signs.get(word, sign) == sign else 0
    return signs


def iter_keywords(text: str) -> Iterator[tuple[str, str]]:
    """Yield each word of a text that carries meaning, and the form in which it is compared.

    Signs are left out, and so are the patterns that they need: for thousands of texts those would
    cost more than everything else.
    """
    text = _QUOTES.sub("", unicodedata.normalize("NFKC", text[:MAX_CHARS]).casefold())
    for token in _TOKEN.findall(text):
        if token not in _STOP and token not in _NOT and token not in _PUNCTUATION:
            yield token, _stem_word(token)


@lru_cache(maxsize=1)  # compiled when a rule is compared: looking through learnings needs none
def _compile_phrases() -> tuple[tuple[re.Pattern[str], _Replacement], ...]:
    return tuple((re.compile(pattern), into) for pattern, into in _PHRASES)


def _iter_signed_words(text: str) -> Iterator[tuple[str, int]]:
    text = _QUOTES.sub("", unicodedata.normalize("NFKC", text).casefold())
    for pattern, into in _compile_phrases():
        text = pattern.sub(into, text)
    clause: list[tuple[str, int]] = []
    sign = own = 1
    for token in [*_TOKEN.findall(text), ";"]:
        word = _stem_word(token)
        if token in _PUNCTUATION or token == "without":  # noqa: S105 -- a word of a rule
            yield from ((each, sign * turned) for each, turned in clause)
            clause, own = [], 1
            sign = -sign if token == "without" else 1  # noqa: S105
        elif token in _NOT:
            sign = -1
        elif token == "unask" or (word in _OMIT_STEMS and not clause):  # noqa: S105
            sign = -sign
        elif token == "isnt":  # noqa: S105
            # "Check that it is not empty" asks for something; only the next word is denied.
            own = -1
        elif token == "unchanged":  # noqa: S105
            clause = [(each, turned) for each, turned in clause if each != "keep"]
            clause.append((_stem_word("change"), 1))
            sign = -sign
        elif token not in _STOP:
            clause.append((word, own))
            own = 1


@lru_cache(maxsize=16384)
def _stem_word(word: str) -> str:
    """Return a word without its ending; words that mean the same in rules become one."""
    word = _strip_ending(word)
    return _ONE_WORD.get(word, word)


def _strip_ending(word: str) -> str:
    if len(word) <= 3 or not word.isascii() or not word.isalpha():
        return word
    word = re.sub(r"(?<=[a-z]{3})is(?=(?:e|ed|es|ing|ation)$)", "iz", word)
    word = re.sub(r"(?<=[a-z]{3}iz)ation$|(?<=[a-z]{3}at)ion$", "", word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ing", "ed", "es", "s"):
        if word.endswith(ending) and len(word) - len(ending) >= 3 and not word.endswith("ss"):
            word = word.removesuffix(ending)
            break
    if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "sl":
        word = word[:-1]
    return word.removesuffix("e") if len(word) > 3 else word


def is_opposite(one: str, other: str) -> bool:
    """Return whether two words mean the opposite in rules."""
    return frozenset((one, other)) in _OPPOSITE_PAIRS or is_negation(one, other)


def is_negation(one: str, other: str) -> bool:
    """Return whether one is the other with a prefix that negates it: `asynchronous`."""
    long, short = sorted((one, other), key=len, reverse=True)
    return long.endswith(short) and long.removesuffix(short) in _NEGATIVE_PREFIXES


_ONE_WORD: Final = {
    _strip_ending(word): _strip_ending(words[0]) for words in _SAME_WORDS for word in words
}
_OPPOSITE_PAIRS: Final = frozenset(frozenset((_stem_word(a), _stem_word(b))) for a, b in _ANTONYMS)
_OMIT_STEMS: Final = frozenset(map(_stem_word, _OMIT_VERBS))
