"""Log what happened: add an entry, or update the one that it is another occurrence of."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.documents import (
    Change,
    Document,
    append_entries,
    apply_changes,
    iter_new_ids,
    parse_document,
    parse_matching,
)
from orchestrator.learnings.entries import (
    Entry,
    Kind,
    Status,
    first_sentence,
    normalize_context,
    normalize_text,
)
from orchestrator.learnings.workspace import INTRODUCTIONS, TITLES, Workspace, today
from orchestrator.masking import mask_text
from orchestrator.rulebook.text import sanitize_line

CONTEXT_BOUND: Final = 120
TEXT_BOUND: Final = 1000


@dataclass(frozen=True)
class LogResult:
    """The entry that something was logged to."""

    id: str
    path: Path
    updated: bool
    """Whether the entry existed already, with the same context or fingerprint."""
    occurrences: int
    reopened: bool = False
    """Whether it was resolved, and is pending again."""


def log_entry(
    workspace: Workspace,
    kind: Kind,
    text: str,
    *,
    context: str = "",
    action: str = "",
    resolved: bool = False,
    fingerprint: str = "",
    on: date | None = None,
) -> LogResult:
    """Log one thing. An entry with the same context, or fingerprint, is updated instead.

    Text that looks like a secret is masked: the files are made to be shared.

    Args:
        workspace: the workspace to write to.
        kind: what it is.
        text: what happened.
        context: in what situation; the first sentence of `text` if empty.
        action: what was done about it.
        resolved: whether the action resolved it.
        fingerprint: that of the failure that was logged, if one was.
        on: the day; today if None.

    Raises:
        UsageError: the text is empty, or the file has an encoding that we cannot add to.
        LoopError: the file cannot be written.
    """
    content = sanitize_line(mask_text(text), TEXT_BOUND)
    if not content:
        raise UsageError("the text is empty", "say what happened")
    day = on or today()
    draft = Entry(
        id="",
        kind=kind,
        status=Status.RESOLVED if resolved else Status.PENDING,
        context=sanitize_line(mask_text(context) or first_sentence(content), CONTEXT_BOUND),
        content=content,
        action=sanitize_line(mask_text(action), TEXT_BOUND),
        occurrences=1,
        first_seen=day,
        last_seen=day,
        fingerprint=fingerprint,
    )
    with storage.lock_workspace(workspace.base):
        return log_drafts(workspace, kind, [draft])[0]


def log_drafts(workspace: Workspace, kind: Kind, drafts: Sequence[Entry]) -> list[LogResult]:
    """Log entries without ids, no two of them with the same context: all or none of them.

    The caller holds the workspace's lock.

    Raises:
        LoopError: the file cannot be read or written.
    """
    path = workspace.locate_file(kind)
    results: list[LogResult] = []

    def merge(data: bytes) -> bytes:
        data, results[:] = _merge_drafts(data, kind, drafts, path)
        return data

    with storage.name_file_in_errors(path):
        storage.edit_file(path, merge, workspace.project)
    return results


def _merge_drafts(
    data: bytes, kind: Kind, drafts: Sequence[Entry], path: Path
) -> tuple[bytes, list[LogResult]]:
    document = _parse_related(data, drafts)
    find_number = _build_finder(document.entries)
    ids: dict[date, Iterator[str]] = {}
    changes: dict[int, Change] = {}
    new: list[Entry] = []
    results = []
    for draft in drafts:
        number = find_number(draft)
        if number is None:
            day = draft.first_seen
            new_ids = ids.setdefault(day, iter_new_ids(document, kind, day))
            new.append(replace(draft, id=next(new_ids)))
            results.append(LogResult(new[-1].id, path, False, draft.occurrences))
        else:
            known = document.entries[number]
            changes[number], result = _update_entry(known, draft, path)
            results.append(result)
    title = f"{TITLES[kind]}\n\n{INTRODUCTIONS[kind]}"
    changed = apply_changes(document, changes) if changes else data
    return append_entries(changed, new, title), results


def _parse_related(data: bytes, drafts: Sequence[Entry]) -> Document:
    """Parse at least all entries that one of the drafts may be another occurrence of."""
    if len(drafts) > 1:
        return parse_document(data)
    return parse_matching(data, [phrase for draft in drafts for phrase in _iter_phrases(draft)])


def _iter_phrases(draft: Entry) -> Iterator[str]:
    """Yield the texts one of which is in every entry that a draft is another occurrence of."""
    yield normalize_context(draft)
    if draft.fingerprint:
        yield normalize_text(draft.fingerprint)


def _update_entry(known: Entry, draft: Entry, path: Path) -> tuple[Change, LogResult]:
    """Return how a draft changes the entry that it is another occurrence of."""
    count = known.occurrences + draft.occurrences
    values = {
        "Occurrences": str(count),
        "First seen": str(min(known.first_seen, draft.first_seen)),
        "Last seen": str(max(known.last_seen, draft.last_seen)),
    }
    more = {}
    if normalize_text(draft.content) not in normalize_text(known.content):
        addition = f"({draft.last_seen}) {draft.content}"
        if len(known.content) + len(addition) <= 2 * TEXT_BOUND:
            more["Content"] = addition
    if draft.action and normalize_text(draft.action) not in normalize_text(known.action):
        more["Action"] = draft.action
    # An error that happens again was not resolved. A promoted one stays so: its rule is active,
    # and the review reports that it did not help.
    reopened = (
        draft.kind is Kind.ERR
        and known.status == Status.RESOLVED
        and draft.status == Status.PENDING
    )
    if reopened:
        values["Status"] = Status.PENDING
    elif known.is_open and draft.status == Status.RESOLVED:
        values["Status"] = Status.RESOLVED
    return Change(values, more), LogResult(known.id, path, True, count, reopened)


def _build_finder(entries: tuple[Entry, ...]) -> Callable[[Entry], int | None]:
    """Return a function that finds the entry that a draft is another occurrence of.

    That is the last entry with the draft's fingerprint, or else with its context.
    """
    by_fingerprint: dict[str, int] = {}
    by_context: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        if entry.fingerprint:
            by_fingerprint[entry.fingerprint] = number
        by_context[normalize_context(entry)].append(number)

    def find_number(draft: Entry) -> int | None:
        if draft.fingerprint in by_fingerprint:
            return by_fingerprint[draft.fingerprint]
        # Different fingerprints mean different failures, even where the contexts are equal.
        fitting = (
            number
            for number in reversed(by_context.get(normalize_context(draft), []))
            if not (entries[number].fingerprint and draft.fingerprint)
        )
        return next(fitting, None)

    return find_number
