"""Review the workspace: what recurs, what has been open for too long, and the totals."""

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
"""With only one shared word, short entries would match by chance."""
_STOP_WORDS: Final = frozenset(
    (
        "about", "after", "because", "been", "before", "but", "could", "did", "error", "failed",
        "fails", "failure", "had", "he", "her", "his", "how", "me", "my", "one", "our", "out",
        "over", "she", "should", "so", "some", "such", "than", "too", "up", "us", "what", "where",
        "which", "who", "would", "cannot", "pytest", "manual", "bash",
    )
)  # fmt: skip
"""Stop words for failure reports, in addition to those for rules."""


@dataclass(frozen=True)
class Group:
    """Entries of one kind with the same root cause, judging by their words."""

    kind: Kind
    label: str
    """The words that the entries share, or the context of a single entry."""
    entries: tuple[Entry, ...]

    @property
    def occurrences(self) -> int:
        """The total number of occurrences."""
        return sum(entry.occurrences for entry in self.entries)

    @property
    def entries_since_promotion(self) -> tuple[Entry, ...]:
        """The entries after the last promoted one; its rule covers the earlier ones."""
        last = max(
            (at for at, entry in enumerate(self.entries) if entry.status == Status.PROMOTED),
            default=-1,
        )
        return self.entries[last + 1 :]

    @property
    def is_candidate(self) -> bool:
        """Whether it occurred often enough for a rule, and no rule covers it yet."""
        return (
            sum(entry.occurrences for entry in self.entries_since_promotion)
            >= CANDIDATE_OCCURRENCES
        )


@dataclass(frozen=True)
class Review:
    """The result of a review."""

    groups: tuple[Group, ...]
    stale: tuple[Entry, ...]
    """Open entries that were first seen more than `STALE_DAYS` days ago."""
    returned: tuple[Entry, ...]
    """Promoted entries that occurred again since: their rules do not prevent them."""
    totals: Mapping[Kind, Mapping[str, int]]
    """Entries of each kind by status."""
    doubled: tuple[str, ...]
    """Ids that more than one entry has."""
    imported: tuple[LogResult, ...]
    """The entries that were created from `.pending-errors.log`."""
    hook_error_log: Path | None
    """The log of the hooks' own errors; None if there were none."""
    on: date

    @property
    def candidates(self) -> tuple[Group, ...]:
        """Groups to promote, the most frequent first."""
        found = [group for group in self.groups if group.is_candidate]
        return tuple(sorted(found, key=lambda group: -group.occurrences))


def review_workspace(workspace: Workspace, on: date | None = None) -> Review:
    """Import the failed calls that the hook logged, and review all entries.

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
    """Group the entries of one kind whose contexts are about the same subject.

    An entry joins a group if it is about the same subject as each member, by the same measure as
    for rules, and shares at least two keywords with each. Comparing it with only one member would
    merge a chain of loosely similar entries into one group.
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

    The index narrows down the groups to compare an entry with. Comparing it with all of them would
    make the time of a review quadratic in the number of entries.
    """

    def __init__(self) -> None:
        self.members: list[list[_Member]] = []
        self._most_keywords: list[int] = []
        """The largest number of keywords of any member, by group."""
        self._by_keyword: defaultdict[str, set[int]] = defaultdict(set)

    def add_entry(self, entry: Entry) -> None:
        """Add an entry to the group that shares the most keywords with it, or to a new one."""
        keywords = extract_keywords(entry.context or entry.content)
        member = _Member(entry, keywords)
        number = next(self._iter_matching_groups(keywords), len(self.members))
        if number == len(self.members):
            self.members.append([])
            self._most_keywords.append(0)
        self.members[number].append(member)
        self._most_keywords[number] = max(self._most_keywords[number], len(keywords))
        for word in keywords:
            self._by_keyword[word].add(number)

    def _iter_matching_groups(self, keywords: frozenset[str]) -> Iterator[int]:
        # `Counter` counts this iterable in C; a nested generator expression takes twice as long.
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
    """Return the keywords of a text, normalized as for the comparison of rules."""
    return frozenset(form for _, form in _iter_keywords(text))


def _iter_keywords(text: str) -> Iterator[tuple[str, str]]:
    return (
        (word, form)
        for word, form in iter_keywords(text)
        if len(word) > 1 and word not in _STOP_WORDS and not word.isdigit()
    )


def _find_error_log() -> Path | None:
    """Return the log of the hooks' own errors, which are not shown in a session; None if empty."""
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
