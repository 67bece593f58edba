"""Review the workspace: what recurs, what has waited for too long, and the totals."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain
from pathlib import Path
from typing import Final

from orchestrator.learnings.entries import Entry, Kind, Status
from orchestrator.learnings.entry_log import LogResult
from orchestrator.learnings.pending_errors import import_pending_errors
from orchestrator.learnings.workspace import Workspace, today
from orchestrator.rulebook import files
from orchestrator.rulebook.signed_words import iter_keywords
from orchestrator.rulebook.similarity import is_same_subject
from orchestrator.storage.location import HOOK_ERROR_LOG, HOOKS
from orchestrator.storage.state_directory import resolve_state_directory

CANDIDATE_OCCURRENCES: Final = 3
STALE_DAYS: Final = 7

_MIN_SHARED_WORDS: Final = 2
"""With one shared word, short entries would be similar by chance."""
_EMPTY_WORDS: Final = frozenset(
    (
        "about", "after", "because", "been", "before", "but", "could", "did", "error", "failed",
        "fails", "failure", "had", "he", "her", "his", "how", "me", "my", "one", "our", "out",
        "over", "she", "should", "so", "some", "such", "than", "too", "up", "us", "what", "where",
        "which", "who", "would", "cannot", "pytest", "manual", "bash",
    )
)  # fmt: skip
"""Words without meaning in reports of failures, in addition to those without meaning in rules."""


@dataclass(frozen=True)
class Group:
    """Entries of one kind with the same root cause, judging by their words."""

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
        """The entries after the last promoted one, whose rule covers all before it."""
        last = max(
            (at for at, entry in enumerate(self.entries) if entry.status == Status.PROMOTED),
            default=-1,
        )
        return self.entries[last + 1 :]

    @property
    def is_candidate(self) -> bool:
        """Whether it happened often enough for a rule, and has none yet."""
        return (
            sum(entry.occurrences for entry in self.entries_since_promotion)
            >= CANDIDATE_OCCURRENCES
        )


@dataclass(frozen=True)
class Review:
    """The result of a review."""

    groups: tuple[Group, ...]
    stale: tuple[Entry, ...]
    """Entries that are open, and were first seen more than `STALE_DAYS` days ago."""
    returned: tuple[Entry, ...]
    """Promoted entries that happened again since: their rules do not prevent them."""
    totals: Mapping[Kind, Mapping[str, int]]
    """Entries of each kind by status."""
    doubled: tuple[str, ...]
    """Ids of more than one entry."""
    imported: tuple[LogResult, ...]
    """The entries that `.pending-errors.log` became."""
    hook_error_log: Path | None
    """The log of the hooks' own errors; None if there were none."""
    on: date

    @property
    def candidates(self) -> tuple[Group, ...]:
        """Groups to promote, the most frequent first."""
        found = [group for group in self.groups if group.is_candidate]
        return tuple(sorted(found, key=lambda group: -group.occurrences))


def review_workspace(workspace: Workspace, on: date | None = None) -> Review:
    """Turn the failed calls that the hook logged into entries, and review all entries.

    Raises:
        LoopError: a file cannot be read or written.
    """
    on = on or today()
    imported = import_pending_errors(workspace)
    entries = workspace.read_entries()
    totals = {kind: Counter(e.status for e in entries if e.kind is kind) for kind in Kind}
    ids = Counter(entry.id for entry in entries)
    return Review(
        groups=tuple(group for kind in Kind for group in group_entries(entries, kind)),
        stale=tuple(e for e in entries if e.is_open and (on - e.first_seen).days > STALE_DAYS),
        returned=tuple(entry for entry in entries if entry.occurrences_since_promotion),
        totals=totals,
        doubled=tuple(identity for identity, count in ids.items() if count > 1),
        imported=tuple(imported),
        hook_error_log=_find_error_log(),
        on=on,
    )


def group_entries(entries: Sequence[Entry], kind: Kind) -> list[Group]:
    """Group the entries of one kind whose contexts are about one subject.

    An entry joins a group when it is about one subject with each member, by the same measure as
    for rules, and shares at least two keywords with it. Comparing it with one member only would
    let a chain of half-similar entries become one group.
    """
    groups = _Groups()
    for entry in entries:
        if entry.kind is kind:
            groups.add_entry(entry)
    return [_build_group(kind, members) for members in groups.members]


@dataclass(frozen=True)
class _Member:
    """An entry and its keywords."""

    entry: Entry
    keywords: frozenset[str]


class _Groups:
    """Groups that grow, with an index of their keywords.

    The index leaves a few groups to compare an entry with. Comparing it with all would let the
    time of a review grow with the square of the number of entries.
    """

    def __init__(self) -> None:
        self.members: list[list[_Member]] = []
        self._most_keywords: list[int] = []
        """The most keywords that a member has, by group."""
        self._by_keyword: defaultdict[str, set[int]] = defaultdict(set)

    def add_entry(self, entry: Entry) -> None:
        """Add an entry to the group that shares the most keywords with it, or to a new one."""
        keywords = extract_keywords(entry.context or entry.content)
        member = _Member(entry, keywords)
        number = next(self._iter_fitting(keywords), len(self.members))
        if number == len(self.members):
            self.members.append([])
            self._most_keywords.append(0)
        self.members[number].append(member)
        self._most_keywords[number] = max(self._most_keywords[number], len(keywords))
        for word in keywords:
            self._by_keyword[word].add(number)

    def _iter_fitting(self, keywords: frozenset[str]) -> Iterator[int]:
        # An iterable of all numbers is counted in C; a generator expression takes twice as long.
        shared = Counter(chain.from_iterable(self._by_keyword.get(word, ()) for word in keywords))
        candidates = [
            number
            for number, count in shared.items()
            if count >= _MIN_SHARED_WORDS
            and is_same_subject(count, len(keywords), self._most_keywords[number])
        ]
        for number in sorted(candidates, key=lambda number: (-shared[number], number)):
            if all(_is_similar(keywords, each.keywords) for each in self.members[number]):
                yield number


def extract_keywords(text: str) -> frozenset[str]:
    """Return the words that show what a text is about, in the form in which rules are compared."""
    return frozenset(form for _, form in _iter_keywords(text))


def _iter_keywords(text: str) -> Iterator[tuple[str, str]]:
    return (
        (word, form)
        for word, form in iter_keywords(text)
        if len(word) > 1 and word not in _EMPTY_WORDS and not word.isdigit()
    )


def _find_error_log() -> Path | None:
    """Return the log of the hooks' own errors, which no session shows; None if it is empty."""
    path = resolve_state_directory() / HOOKS / HOOK_ERROR_LOG
    with files.translate_os_errors(path, "read"):
        return path if path.exists() and path.stat().st_size else None


def _is_similar(keywords: frozenset[str], other: frozenset[str]) -> bool:
    shared = len(keywords & other)
    return shared >= _MIN_SHARED_WORDS and is_same_subject(shared, len(keywords), len(other))


def _build_group(kind: Kind, members: Sequence[_Member]) -> Group:
    entries = tuple(member.entry for member in members)
    first = entries[0].context or entries[0].content
    if len(members) == 1:
        return Group(kind, first, entries)
    shared = frozenset.intersection(*(member.keywords for member in members))
    words = [word for word, form in _iter_keywords(first) if form in shared]
    return Group(kind, " ".join(dict.fromkeys(words)) or first, entries)
