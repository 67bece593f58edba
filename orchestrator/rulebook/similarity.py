"""Whether two rules say the same, the opposite, or have nothing to do with each other.

A rule is read as words with a sign: what it asks for, and what it forbids. Likeness alone would
take "prefer X over Y" and "prefer Y over X" for one rule; the signs tell them apart. In doubt two
rules are not the same: a wrong duplicate would lose a lesson without a word.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import lru_cache
from typing import Final

from orchestrator.rulebook.text import MAX_CHARS, normalize_text
from teacher.models import RuleText


class RuleRelation(StrEnum):
    """What one rule is to another."""

    SAME = "same"
    OPPOSITE = "opposite"
    UNRELATED = "unrelated"


_MIN_SIMILARITY: Final = 78.0
"""rapidfuzz ratio (0 to 100) of the sorted words from which two rules are the same."""
_MIN_SIMILARITY_ELSEWHERE: Final = 95.0
"""The same, when their `When` have nothing in common."""
_MIN_WHEN_SIMILARITY: Final = 40.0
_MIN_SHARED_RATIO: Final = 0.6
"""Part of the shorter rule's words that two rules on one subject share."""
_MIN_TYPO_SIMILARITY: Final = 88.0
_MIN_TYPO_LENGTH: Final = 5

_NUMBERS: Final = (
    *("zero", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)
_Replacement = str | Callable[[re.Match[str]], str]
_PHRASES: Final[tuple[tuple[re.Pattern[str], _Replacement], ...]] = tuple(
    (re.compile(pattern), into)
    for pattern, into in (
        (r"[`\"'\u2019*]", ""),
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
)
_TOKEN: Final = re.compile(r"[^\W_](?:[\w./-]*\w)?|_\w+|[=!<>]=|[;,:.](?=\s|$)")
_NOT: Final = frozenset(("never", "avoid", "not", "no"))
_OMIT_VERBS: Final = ("skip", "omit", "bypass", "ignore")
"""Verbs that ask to leave what follows; `never skip X` asks for it again."""
_ONLY: Final = re.compile(r"\b(?:only|solely|exclusively)\b")
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


def compare_rules(one: RuleText, other: RuleText) -> RuleRelation:
    """Tell what two rules are to each other, by their words alone; the reasons do not count.

    Two rules on one subject that disagree are opposite whatever their `When` say: whether both
    can stand is for a person to decide.
    """
    from rapidfuzz import fuzz

    first, second = _sign_words(one.rule), _sign_words(other.rule)
    if not first or not second:
        return RuleRelation.UNRELATED
    second = _correct_spelling(second, first)
    shared = first.keys() & second.keys()
    if len(shared) < _MIN_SHARED_RATIO * min(len(first), len(second)):
        return (
            RuleRelation.OPPOSITE if _has_swapped_value(first, second) else RuleRelation.UNRELATED
        )
    if _is_contradiction(first, second) or _has_swapped_value(first, second):
        return RuleRelation.OPPOSITE
    alike = fuzz.ratio(" ".join(sorted(first)), " ".join(sorted(second)))
    covered = len(shared) == min(len(first), len(second)) and len(shared) > 2
    enough = (
        _MIN_SIMILARITY if _is_same_situation(one.when, other.when) else _MIN_SIMILARITY_ELSEWHERE
    )
    if alike + 8 * covered < enough or _is_exclusive(one) != _is_exclusive(other):
        return RuleRelation.UNRELATED
    return RuleRelation.SAME


class Shortlist:
    """Finds among many rules the few that may be kin to one, without comparing it to each.

    `compare` finds two rules unrelated unless they share most words of the shorter one, or all but
    a few of both, where words that differ by a slip of spelling count as one. How many words they
    can share at most is counted here, by the words and not by the rules.
    """

    def __init__(self, texts: Sequence[RuleText]) -> None:
        self._words = [_sign_words(text.rule).keys() for text in texts]
        self._same: defaultdict[str, list[int]] = defaultdict(list)
        self._having: defaultdict[str, list[int]] = defaultdict(list)
        for number, (text, words) in enumerate(zip(texts, self._words, strict=True)):
            self._same[normalize_text(text)].append(number)
            for word in words:
                self._having[word].append(number)

    def find_candidates(self, text: RuleText) -> list[int]:
        """Return the places of all texts that may be one with this text, or contradict it.

        In their order; others may be among them.
        """
        words = _sign_words(text.rule).keys()
        shared: defaultdict[int, int] = defaultdict(int)
        for word in self._find_similar_words(words):
            for number in self._having[word]:
                shared[number] += 1
        kin = {
            number
            for number, most in shared.items()
            if _can_be_related(most, len(words), len(self._words[number]))
        }
        return sorted(kin.union(self._same.get(normalize_text(text), ())))

    def _find_similar_words(self, words: Collection[str]) -> set[str]:
        """The known words that `compare` may take for one of these."""
        from rapidfuzz import fuzz, process

        like = {word for word in words if word in self._having}
        others = [w for w in self._having if len(w) >= _MIN_TYPO_LENGTH and w not in like]
        joined = {_join_hyphens(word) for word in words}
        like.update(word for word in others if _join_hyphens(word) in joined)
        alphabetic = [word for word in others if word.isalpha()]
        for word in filter(str.isalpha, words):
            found = process.extract(
                word, alphabetic, scorer=fuzz.ratio, score_cutoff=_MIN_TYPO_SIMILARITY, limit=None
            )
            like.update(each for each, _, _ in found)
        return like


def _can_be_related(shared: int, one: int, other: int) -> bool:
    """Whether rules with so many words can be kin if they share so many at most.

    `_SUBJECT` of the shorter one, or, by `_swapped`, all but half of those shared and one.
    """
    few, many = sorted((one, other))
    return shared >= _MIN_SHARED_RATIO * few or 2 * (many - shared) <= shared + 2


def _is_contradiction(first: Mapping[str, int], second: Mapping[str, int]) -> bool:
    """Whether what one asks for is what the other forbids.

    "Never compare floats with ==; use isclose" and "compare floats with isclose, not ==" agree,
    though floats are in a forbidding clause here and an asking one there: where rules agree both
    on something to do and on something not to do, the rest is only the frame.
    """
    shared = first.keys() & second.keys()
    agreed = {first[word] for word in shared if first[word] == second[word]} - {0}
    differ = [word for word in shared if first[word] * second[word] < 0]
    return bool(differ) and agreed != {1, -1}


def _has_swapped_value(first: Mapping[str, int], second: Mapping[str, int]) -> bool:
    """Whether one names another value in the same place: 30 for 60, before for after."""
    left, right = first.keys() - second.keys(), second.keys() - first.keys()
    shared = first.keys() & second.keys()
    if not left or not right or not shared:
        return False
    near = 2 * max(len(left), len(right)) <= len(shared) + 2
    if any(_is_opposite(a, b) for a in left for b in right):
        return near
    named = [{word for word in side if not _is_value(word)} for side in (left, right)]
    if named[0] < left and named[1] < right and not all(named):
        return near
    return len(left) == len(right) == 1


def _is_opposite(one: str, other: str) -> bool:
    return frozenset((one, other)) in _OPPOSITE_PAIRS or _is_negation(one, other)


def _is_negation(one: str, other: str) -> bool:
    """Whether one is the other with a prefix that makes it the opposite: `asynchronous`."""
    long, short = sorted((one, other), key=len, reverse=True)
    return long.endswith(short) and long.removesuffix(short) in _NEGATIVE_PREFIXES


def _is_exclusive(text: RuleText) -> bool:
    """Whether a rule allows what it names alone; the same without `only` says less."""
    return bool(_ONLY.search(text.rule[:MAX_CHARS].casefold()))


def _is_value(word: str) -> bool:
    return any(not char.isalpha() for char in word)


def _is_same_situation(one: str, other: str) -> bool:
    from rapidfuzz import fuzz

    left, right = (" ".join(sorted(_sign_words(text))) for text in (one, other))
    return not left or not right or fuzz.token_set_ratio(left, right) >= _MIN_WHEN_SIMILARITY


def _correct_spelling(words: Mapping[str, int], like: Mapping[str, int]) -> dict[str, int]:
    """The words, a slip of spelling mended to the word of the other rule."""
    from rapidfuzz import fuzz, process

    mended = {}
    unmatched = [other for other in like if other not in words]
    for word, sign in words.items():
        if word in like or len(word) < _MIN_TYPO_LENGTH:
            mended[word] = sign
            continue
        free = [other for other in unmatched if not _is_negation(word, other)]
        joined = [other for other in free if _join_hyphens(other) == _join_hyphens(word)]
        if joined:
            mended[joined[0]] = sign
        elif word.isalpha():
            spelled = [other for other in free if other.isalpha()]
            found = process.extractOne(
                word, spelled, scorer=fuzz.ratio, score_cutoff=_MIN_TYPO_SIMILARITY
            )
            mended[found[0] if found else word] = sign
        else:
            mended[word] = sign
    return mended


@lru_cache(maxsize=16384)
def _join_hyphens(word: str) -> str:
    return _strip_ending(word.replace("-", ""))


@lru_cache(maxsize=8192)  # each rule in force is compared with each that comes in
def _sign_words(text: str) -> Mapping[str, int]:
    """Words that carry meaning: 1 asked for, -1 forbidden, 0 both."""
    signs: dict[str, int] = {}
    # People may write a book into one bullet: the time that patterns take grows with its square.
    for word, sign in _iter_signed_words(text[:MAX_CHARS]):
        signs[word] = sign if signs.get(word, sign) == sign else 0
    return signs


def _iter_signed_words(text: str) -> Iterator[tuple[str, int]]:
    text = unicodedata.normalize("NFKC", text).casefold()
    for pattern, into in _PHRASES:
        text = pattern.sub(into, text)
    clause: list[tuple[str, int]] = []
    sign = own = 1
    for token in [*_TOKEN.findall(text), ";"]:
        word = _stem_word(token)
        if token in ";,:." or token == "without":  # noqa: S105 -- a word of a rule
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


def _stem_word(word: str) -> str:
    """The word without its ending, and one word for those that mean the same in rules."""
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


_ONE_WORD: Final = {
    _strip_ending(word): _strip_ending(words[0]) for words in _SAME_WORDS for word in words
}
_OPPOSITE_PAIRS: Final = frozenset(frozenset((_stem_word(a), _stem_word(b))) for a, b in _ANTONYMS)
_OMIT_STEMS: Final = frozenset(map(_stem_word, _OMIT_VERBS))
