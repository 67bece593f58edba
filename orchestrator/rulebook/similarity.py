"""Compare two rules: they say the same, the opposite, or are unrelated.

A rule is read as words with a sign: what it asks for, and what it forbids. Likeness alone would
take "prefer X over Y" and "prefer Y over X" for one rule; the signs distinguish them. In doubt two
rules are not the same: a wrong duplicate would lose a lesson without a word.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from enum import StrEnum
from typing import Final

from orchestrator.rulebook.signed_words import is_negation, is_opposite, join_hyphens, sign_words
from orchestrator.rulebook.text import MAX_CHARS, normalize_text
from teacher.models import RuleText


class RuleRelation(StrEnum):
    """What one rule is to another."""

    SAME = "same"
    OPPOSITE = "opposite"
    UNRELATED = "unrelated"


_SKILL: Final = re.compile(r"(?i)\buse the skill `([\w:-]+)`")
_ONLY: Final = re.compile(r"\b(?:only|solely|exclusively)\b")
_MIN_SIMILARITY: Final = 78.0
"""rapidfuzz ratio (0 to 100) of the sorted words from which two rules are the same."""
_MIN_SIMILARITY_ELSEWHERE: Final = 95.0
"""The same, when their `When` have nothing in common."""
_MIN_WHEN_SIMILARITY: Final = 40.0
_MIN_SHARED_RATIO: Final = 0.6
"""Part of the shorter rule's words that two rules on one subject share."""
_MIN_TYPO_SIMILARITY: Final = 88.0
_MIN_TYPO_LENGTH: Final = 5


def compare_rules(one: RuleText, other: RuleText) -> RuleRelation:
    """Return how two rules are related, by their words alone; the reasons do not count.

    Two rules on one subject that disagree are opposite whatever their `When` say: whether both
    can stand is for a person to decide.
    """
    from rapidfuzz import fuzz

    first, second = sign_words(one.rule), sign_words(other.rule)
    if not first or not second or _name_different_skills(one, other):
        return RuleRelation.UNRELATED
    second = _correct_spelling(second, first)
    shared = first.keys() & second.keys()
    if not is_same_subject(len(shared), len(first), len(second)):
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


def _name_different_skills(one: RuleText, other: RuleText) -> bool:
    """Return whether two rules only point to skills, and to different ones."""
    first, second = _SKILL.search(one.rule), _SKILL.search(other.rule)
    return bool(first and second and first[1] != second[1])


def is_same_subject(shared: int, one: int, other: int) -> bool:
    """Return whether texts of so many words are about one subject if they share so many."""
    return shared >= _MIN_SHARED_RATIO * min(one, other)


class Shortlist:
    """Finds among many rules the few that may be related to one, without comparing it to each.

    `compare_rules` finds two rules unrelated unless they share most words of the shorter one, or
    all but a few of both, where words that differ by a spelling error count as one. This class
    counts how many words they can share at most, by an index of words.
    """

    def __init__(self, texts: Sequence[RuleText]) -> None:
        self._words = [sign_words(text.rule).keys() for text in texts]
        self._same: defaultdict[str, list[int]] = defaultdict(list)
        self._having: defaultdict[str, list[int]] = defaultdict(list)
        for number, (text, words) in enumerate(zip(texts, self._words, strict=True)):
            self._same[normalize_text(text)].append(number)
            for word in words:
                self._having[word].append(number)

    def find_candidates(self, text: RuleText) -> list[int]:
        """Return the indexes of all texts that may be the same as this text, or contradict it.

        In their order; others may be among them.
        """
        words = sign_words(text.rule).keys()
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
        """Return the known words that `compare_rules` may take for one of these."""
        from rapidfuzz import fuzz, process

        like = {word for word in words if word in self._having}
        others = [w for w in self._having if len(w) >= _MIN_TYPO_LENGTH and w not in like]
        joined = {join_hyphens(word) for word in words}
        like.update(word for word in others if join_hyphens(word) in joined)
        alphabetic = [word for word in others if word.isalpha()]
        for word in filter(str.isalpha, words):
            found = process.extract(
                word, alphabetic, scorer=fuzz.ratio, score_cutoff=_MIN_TYPO_SIMILARITY, limit=None
            )
            like.update(each for each, _, _ in found)
        return like


def _can_be_related(shared: int, one: int, other: int) -> bool:
    """Return whether rules with so many words can be related if they share so many at most.

    They share `_MIN_SHARED_RATIO` of the shorter one, or enough for `_has_swapped_value`.
    """
    few, many = sorted((one, other))
    return is_same_subject(shared, few, many) or 2 * (many - shared) <= shared + 2


def _is_contradiction(first: Mapping[str, int], second: Mapping[str, int]) -> bool:
    """Return whether one rule asks for what the other forbids.

    "Never compare floats with ==; use isclose" and "compare floats with isclose, not ==" agree,
    though floats are in a forbidding clause here and an asking one there: where rules agree both
    on something to do and on something not to do, the rest is only the frame.
    """
    shared = first.keys() & second.keys()
    agreed = {first[word] for word in shared if first[word] == second[word]} - {0}
    differ = [word for word in shared if first[word] * second[word] < 0]
    return bool(differ) and agreed != {1, -1}


def _has_swapped_value(first: Mapping[str, int], second: Mapping[str, int]) -> bool:
    """Return whether one names another value at the same position: 30 for 60, before for after."""
    left, right = first.keys() - second.keys(), second.keys() - first.keys()
    shared = first.keys() & second.keys()
    if not left or not right or not shared:
        return False
    near = 2 * max(len(left), len(right)) <= len(shared) + 2
    if any(is_opposite(a, b) for a in left for b in right):
        return near
    named = [{word for word in side if not _is_value(word)} for side in (left, right)]
    if named[0] < left and named[1] < right and not all(named):
        return near
    return len(left) == len(right) == 1


def _is_exclusive(text: RuleText) -> bool:
    """Return whether a rule allows only what it names; without `only` it says less."""
    return bool(_ONLY.search(text.rule[:MAX_CHARS].casefold()))


def _is_value(word: str) -> bool:
    return any(not char.isalpha() for char in word)


def _is_same_situation(one: str, other: str) -> bool:
    from rapidfuzz import fuzz

    left, right = (" ".join(sorted(sign_words(text))) for text in (one, other))
    return not left or not right or fuzz.token_set_ratio(left, right) >= _MIN_WHEN_SIMILARITY


def _correct_spelling(words: Mapping[str, int], like: Mapping[str, int]) -> dict[str, int]:
    """Return the words, with spelling errors corrected to the words of the other rule."""
    from rapidfuzz import fuzz, process

    corrected = {}
    unmatched = [other for other in like if other not in words]
    for word, sign in words.items():
        if word in like or len(word) < _MIN_TYPO_LENGTH:
            corrected[word] = sign
            continue
        free = [other for other in unmatched if not is_negation(word, other)]
        joined = [other for other in free if join_hyphens(other) == join_hyphens(word)]
        if joined:
            corrected[joined[0]] = sign
        elif word.isalpha():
            spelled = [other for other in free if other.isalpha()]
            found = process.extractOne(
                word, spelled, scorer=fuzz.ratio, score_cutoff=_MIN_TYPO_SIMILARITY
            )
            corrected[found[0] if found else word] = sign
        else:
            corrected[word] = sign
    return corrected
