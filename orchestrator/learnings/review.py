"""The workspace looked through: what recurs, what waits for too long, how much there is."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from orchestrator.learnings.entries import Entry, Kind, Status
from orchestrator.learnings.pending import import_pending_errors
from orchestrator.learnings.workspace import LogResult, Workspace, today
from orchestrator.rulebook import files
from orchestrator.storage.location import HOOK_ERROR_LOG, HOOKS
from orchestrator.storage.state_directory import resolve_state_directory

CANDIDATE_OCCURRENCES: Final = 3
STALE_DAYS: Final = 7

_MIN_SHARED_WORDS: Final = 2
_OVERLAP: Final = 0.6
_WORD: Final = re.compile(r"[^\W_]{2,}(?:[-_.][^\W_]+)*")
_ENDINGS: Final = ("ing", "ed", "es", "e", "s")
_SHORTEST_STEM: Final = 3
_EMPTY_WORDS: Final = frozenset(
    (
        "a", "about", "after", "all", "also", "an", "and", "any", "are", "as", "at", "be",
        "because", "been", "before", "but", "by", "can", "cannot", "could", "did", "do", "does",
        "done", "error", "failed", "fails", "failure", "for", "from", "had", "has", "have", "he",
        "her", "his", "how", "i", "if", "in", "into", "is", "it", "its", "just", "me", "my", "no",
        "not", "of", "on", "one", "only", "or", "our", "out", "over", "she", "should", "so",
        "some", "such", "than", "that", "the", "their", "them", "then", "there", "these", "they",
        "this", "to", "too", "up", "us", "was", "we", "were", "what", "when", "where", "which",
        "while", "who", "will", "with", "would", "you", "your", "pytest", "manual", "bash",
    )
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """Entries of one kind that share a root cause, as far as their words tell."""

    kind: Kind
    label: str
    """The words that they share, or the context of the only one."""
    entries: tuple[Entry, ...]

    @property
    def occurrences(self) -> int:
        """How often it happened."""
        return sum(entry.occurrences for entry in self.entries)

    @property
    def entries_since_promotion(self) -> tuple[Entry, ...]:
        """What came after the last entry that was promoted: a promoted line is for all before."""
        last = max(
            (at for at, entry in enumerate(self.entries) if entry.status == Status.PROMOTED),
            default=-1,
        )
        return self.entries[last + 1 :]

    @property
    def is_candidate(self) -> bool:
        """Whether it came up often enough for a rule, and is none yet."""
        return (
            sum(entry.occurrences for entry in self.entries_since_promotion)
            >= CANDIDATE_OCCURRENCES
        )


@dataclass(frozen=True)
class Review:
    """What a review found."""

    groups: tuple[Group, ...]
    stale: tuple[Entry, ...]
    """Not dealt with for more than `STALE_DAYS` days since it was first seen."""
    returned: tuple[Entry, ...]
    """Promoted, and back since then: the line does not keep it away."""
    totals: Mapping[Kind, Mapping[str, int]]
    """Entries of each kind by status."""
    doubled: tuple[str, ...]
    """Ids that more than one entry has."""
    imported: tuple[LogResult, ...]
    """What `.pending-errors.log` became."""
    hook_error_log: Path | None
    """Where the hooks wrote down what went wrong with them, if anything did."""
    on: date

    @property
    def candidates(self) -> tuple[Group, ...]:
        """Groups to promote, the most frequent first."""
        found = [group for group in self.groups if group.is_candidate]
        return tuple(sorted(found, key=lambda group: -group.occurrences))


def review_workspace(workspace: Workspace, on: date | None = None) -> Review:
    """Turn what the hook noted into entries, and look through all of them.

    Raises:
        LoopError: a file cannot be read or written.
    """
    on = on or today()
    taken_in = import_pending_errors(workspace)
    entries = workspace.read_entries()
    totals = {kind: Counter(e.status for e in entries if e.kind is kind) for kind in Kind}
    ids = Counter(entry.id for entry in entries)
    return Review(
        groups=tuple(group for kind in Kind for group in group_entries(entries, kind)),
        stale=tuple(e for e in entries if e.is_open and (on - e.first_seen).days > STALE_DAYS),
        returned=tuple(entry for entry in entries if entry.occurrences_since_promotion),
        totals=totals,
        doubled=tuple(identity for identity, count in ids.items() if count > 1),
        imported=tuple(taken_in),
        hook_error_log=_find_error_log(),
        on=on,
    )


def group_entries(entries: Sequence[Entry], kind: Kind) -> list[Group]:
    """Put entries of one kind together whose contexts share their keywords.

    An entry joins a group when with each member it shares two keywords or more, and they are at
    least 0.6 of the shorter one's; so a chain of half-similar entries does not become one group.
    """
    groups: list[list[tuple[Entry, frozenset[str]]]] = []
    largest: list[int] = []
    """The most keywords of a member, by group: an entry that joins shares its part of those."""
    by_word: dict[str, set[int]] = {}
    for entry in entries:
        if entry.kind is not kind:
            continue
        words = extract_keywords(entry.context or entry.content)
        near = Counter(number for word in words for number in by_word.get(word, ()))
        likely = [
            n for n, shared in near.items() if _has_enough_overlap(shared, len(words), largest[n])
        ]
        fitting = (
            number
            for number in sorted(likely, key=lambda n: (-near[n], n))
            if all(_is_similar(words, other) for _, other in groups[number])
        )
        number = next(fitting, len(groups))
        if number == len(groups):
            groups.append([])
            largest.append(0)
        groups[number].append((entry, words))
        largest[number] = max(largest[number], len(words))
        for word in words:
            by_word.setdefault(word, set()).add(number)
    return [_build_group(kind, members) for members in groups]


def extract_keywords(text: str) -> frozenset[str]:
    """The words that say what a text is about, in a common form."""
    words = _WORD.findall(text.casefold())
    return frozenset(
        _stem_word(word) for word in words if word not in _EMPTY_WORDS and not word.isdigit()
    )


def _find_error_log() -> Path | None:
    """The hooks' own log, where there is something in it: they disturb no session with it."""
    path = resolve_state_directory() / HOOKS / HOOK_ERROR_LOG
    with files.translate_os_errors(path, "read"):
        return path if path.exists() and path.stat().st_size else None


def _stem_word(word: str) -> str:
    """The word without its ending: `renames`, `renamed` and `renaming` are one word."""
    if word.endswith("ss"):
        return word
    ending = next((one for one in _ENDINGS if word.endswith(one)), "")
    stem = word.removesuffix(ending)
    return stem if len(stem) >= _SHORTEST_STEM else word


def _is_similar(words: frozenset[str], other: frozenset[str]) -> bool:
    return _has_enough_overlap(len(words & other), len(words), len(other))


def _has_enough_overlap(shared: int, one: int, other: int) -> bool:
    return shared >= _MIN_SHARED_WORDS and shared >= _OVERLAP * min(one, other)


def _build_group(kind: Kind, members: Sequence[tuple[Entry, frozenset[str]]]) -> Group:
    entries = tuple(entry for entry, _ in members)
    first = entries[0].context or entries[0].content
    if len(members) == 1:
        return Group(kind, first, entries)
    shared = frozenset.intersection(*(words for _, words in members))
    words = [word for word in _WORD.findall(first.casefold()) if _stem_word(word) in shared]
    return Group(kind, " ".join(dict.fromkeys(words)) or first, entries)
