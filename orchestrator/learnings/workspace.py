"""A workspace: its files, what is logged there, and how an entry goes from status to status."""

import os
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import LoopError, UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.entries import (
    ID,
    Change,
    Document,
    Entry,
    Kind,
    Status,
    append_entries,
    apply_changes,
    iter_new_ids,
    normalize_context,
    normalize_text,
    parse_document,
    parse_matching,
    update_entries,
)
from orchestrator.masking import mask_text
from orchestrator.platform.files import find_git_top
from orchestrator.rulebook.text import sanitize_line
from orchestrator.session_hooks.writeahead import locations

TITLES: Final = {Kind.LRN: "Learnings", Kind.ERR: "Errors", Kind.FEAT: "Feature requests"}
CONTEXT_BOUND: Final = 120
TEXT_BOUND: Final = 1000

_FILES: Final = {Kind.LRN: "LEARNINGS.md", Kind.ERR: "ERRORS.md", Kind.FEAT: "FEATURE_REQUESTS.md"}
_HEADS: Final = {
    Kind.LRN: "What worked, and is worth doing again.",
    Kind.ERR: "Mistakes and wrong assumptions: what broke, and why.",
    Kind.FEAT: "What was needed more than once and is not there yet.",
}
_BUFFER_HEAD: Final = (
    "# Working buffer\n\nThe state of the task at hand, and write-ahead entries.\n"
)


def today() -> date:
    """The day, where the user is."""
    return datetime.now().astimezone().date()


@dataclass(frozen=True)
class Workspace:
    """A workspace: a project's own, or the user's global one."""

    base: Path
    everywhere: bool
    """Whether it is the global one."""

    def locate_file(self, kind: Kind) -> Path:
        """The file that holds entries of this kind."""
        return self.base / locations.LEARNINGS / _FILES[kind]

    @property
    def buffer(self) -> Path:
        """The working buffer."""
        return self.base / locations.BUFFER

    @property
    def pending_errors(self) -> Path:
        """The log that the hook writes failed tool calls to."""
        return self.base / locations.PENDING_ERRORS

    @property
    def project(self) -> Path | None:
        """What no link may lead out of; None for the user's own, who may keep it anywhere."""
        return None if self.everywhere else self.base

    @property
    def exists(self) -> bool:
        """Whether it was initialised."""
        return os.path.isdir(self.base / locations.LEARNINGS)  # noqa: PTH112 -- False if it may not be read

    def read_document(self, kind: Kind) -> Document:
        """Read the entries of one kind."""
        with _name_file_in_errors(self.locate_file(kind)):
            return parse_document(storage.read_file(self.locate_file(kind), self.project))

    def read_entries(self) -> list[Entry]:
        """All entries, in the order of the files."""
        return [entry for kind in Kind for entry in self.read_document(kind).entries]

    def find_entry(self, entry: str) -> Entry:
        """The entry with this id.

        Raises:
            UsageError: there is none, or more than one.
        """
        entry = entry.upper()
        found = [one for one in self.read_document(parse_kind(entry)).entries if one.id == entry]
        if not found:
            raise UsageError(f"there is no entry {entry}", "`orchestrator learnings review` lists")
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} entries are called {entry} in {self.locate_file(found[0].kind)}",
                "give all but one of them another number",
            )
        return found[0]


@dataclass(frozen=True)
class InitializedFile:
    """A file that `init` looked after."""

    path: Path
    created: bool


@dataclass(frozen=True)
class LogResult:
    """What became of a log entry."""

    id: str
    path: Path
    updated: bool
    """Whether it was there already, with the same context."""
    occurrences: int
    reopened: bool = False
    """Whether it counted as resolved, and is pending again."""


def local_workspace(project: Path) -> Workspace:
    """The project's workspace, whether it exists or not.

    A new one goes to the top of the git work tree, where sessions in every folder below find it.
    """
    if found := locations.find_local_base(str(project)):
        return Workspace(Path(found), everywhere=False)
    return Workspace(find_git_top(project.resolve()), everywhere=False)


def global_workspace() -> Workspace:
    """The user's workspace, whether it exists or not."""
    return Workspace(Path(locations.find_global_base()).absolute(), everywhere=True)


def find_workspace(project: Path) -> Workspace | None:
    """The workspace that a session in this project writes to: its own, or else the global one."""
    for workspace in (local_workspace(project), global_workspace()):
        if workspace.exists:
            return workspace
    return None


def open_workspace(project: Path, *, everywhere: bool = False) -> Workspace:
    """The workspace to use for a command.

    Raises:
        UsageError: there is none yet.
    """
    found = global_workspace() if everywhere else find_workspace(project)
    if found is None or not found.exists:
        raise UsageError(
            "there is no learnings workspace here",
            f"orchestrator learnings init {'global' if everywhere else 'local'}",
        )
    return found


def initialize_workspace(workspace: Workspace) -> list[InitializedFile]:
    """Create the files that are missing; those that are there are not touched.

    Raises:
        LoopError: they cannot be written.
    """
    wanted = {workspace.locate_file(kind): f"# {TITLES[kind]}\n\n{_HEADS[kind]}\n" for kind in Kind}
    wanted[workspace.buffer] = _BUFFER_HEAD
    folder = workspace.base / locations.LEARNINGS
    if not workspace.everywhere and folder.is_symlink():
        raise UsageError(f"{folder} is a link", "put a folder in its place")
    with storage.lock_workspace(workspace.base):
        return [
            InitializedFile(path, storage.create_file(path, text.encode(), workspace.project))
            for path, text in wanted.items()
        ]


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

    What looks like a secret is masked: the files are made to be shared.

    Args:
        workspace: where to.
        kind: what it is.
        text: what happened.
        context: in what situation; the first sentence of `text` if empty.
        action: what was done about it.
        resolved: whether that settled it.
        fingerprint: of the failure that it comes from, if it does.
        on: the day; today if None.

    Raises:
        UsageError: the text is empty, or the file is encoded in a way that we cannot add to.
        LoopError: the file cannot be written.
    """
    content = sanitize_line(mask_text(text), TEXT_BOUND)
    if not content:
        raise UsageError("the text is empty", "say what happened")
    day = on or today()
    new = Entry(
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
        return log_drafts(workspace, kind, [new])[0]


def log_drafts(workspace: Workspace, kind: Kind, new: Sequence[Entry]) -> list[LogResult]:
    """Log entries without ids, no two of them with the same context: all or none of them.

    The caller holds the workspace's lock.

    Raises:
        LoopError: the file cannot be read or written.
    """
    path = workspace.locate_file(kind)
    logged: list[LogResult] = []

    def change(data: bytes) -> bytes:
        data, logged[:] = _merge_drafts(data, kind, new, path)
        return data

    with _name_file_in_errors(path):
        storage.edit_file(path, change, workspace.project)
    return logged


def resolve_entry(workspace: Workspace, entry: str, action: str = "") -> Entry:
    """Set a pending entry to resolved, with what was done.

    Raises:
        UsageError: it is not pending, or nobody says what was done.
    """
    known = workspace.find_entry(entry)
    if not known.is_open:
        raise UsageError(
            f"{known.id} is {known.status} already", "only a pending entry is resolved"
        )
    action = sanitize_line(mask_text(action), TEXT_BOUND)
    if not (action or known.action):
        raise UsageError(f"{known.id} does not say what was done about it", "say it with --action")
    more = {"Action": action} if action else {}
    set_fields(workspace, known, Status.PENDING, {"Status": Status.RESOLVED}, more)
    return workspace.find_entry(known.id)


def set_fields(
    workspace: Workspace,
    entry: Entry,
    required: Status,
    values: dict[str, str],
    more: dict[str, str] | None = None,
) -> None:
    """Change an entry's fields, if its status is still what is required (pending: not dealt with).

    Raises:
        UsageError: somebody has changed its status in the meantime.
        LoopError: the file cannot be written.
    """
    path = workspace.locate_file(entry.kind)

    def change(data: bytes) -> bytes:
        found = [
            (at, now) for at, now in enumerate(parse_document(data).entries) if now.id == entry.id
        ]
        for at, now in found:
            if now.is_open if required is Status.PENDING else now.status == required:
                return update_entries(data, {at: Change(values, more or {})})
        raise UsageError(f"{entry.id} was changed in the meantime", "look at it again")

    with storage.lock_workspace(workspace.base), _name_file_in_errors(path):
        storage.edit_file(path, change, workspace.project)


def parse_kind(entry: str) -> Kind:
    """The kind that an id tells.

    Raises:
        UsageError: it is no id.
    """
    found = ID.fullmatch(entry.upper())
    if not found:
        raise UsageError(f"{entry!r} is no id of an entry", "one looks like ERR-20260520-001")
    return Kind(found[1])


def first_sentence(text: str) -> str:
    """The text up to its first full stop that ends a sentence."""
    return re.split(r"(?<=[.!?])\s|\s\N{EM DASH}\s", text, maxsplit=1)[0].rstrip(".")


def _merge_drafts(
    data: bytes, kind: Kind, new: Sequence[Entry], path: Path
) -> tuple[bytes, list[LogResult]]:
    document = _parse_related(data, new)
    find = _build_finder(document.entries)
    ids: dict[date, Iterator[str]] = {}
    changes: dict[int, Change] = {}
    fresh: list[Entry] = []
    logged = []
    for draft in new:
        number = find(draft)
        if number is None:
            day = draft.first_seen
            numbers = ids.setdefault(day, iter_new_ids(document, kind, day))
            fresh.append(replace(draft, id=next(numbers)))
            logged.append(LogResult(fresh[-1].id, path, False, draft.occurrences))
        else:
            known = document.entries[number]
            changes[number], result = _update_entry(known, draft, path)
            logged.append(result)
    title = f"{TITLES[kind]}\n\n{_HEADS[kind]}"
    return append_entries(
        apply_changes(document, changes) if changes else data, fresh, title
    ), logged


def _parse_related(data: bytes, new: Sequence[Entry]) -> Document:
    """Return the file with at least all entries that one of the drafts may be another case of."""
    if len(new) > 1:
        return parse_document(data)
    return parse_matching(data, [phrase for draft in new for phrase in _iter_phrases(draft)])


def _iter_phrases(draft: Entry) -> Iterator[str]:
    """Give what stands in every entry that a draft is another case of."""
    yield normalize_context(draft)
    if draft.fingerprint:
        yield normalize_text(draft.fingerprint)


def _update_entry(known: Entry, new: Entry, path: Path) -> tuple[Change, LogResult]:
    """What a draft changes of the entry that it is another case of."""
    count = known.occurrences + new.occurrences
    values = {
        "Occurrences": str(count),
        "First seen": str(min(known.first_seen, new.first_seen)),
        "Last seen": str(max(known.last_seen, new.last_seen)),
    }
    more = {}
    if normalize_text(new.content) not in normalize_text(known.content):
        addition = f"({new.last_seen}) {new.content}"
        if len(known.content) + len(addition) <= 2 * TEXT_BOUND:
            more["Content"] = addition
    if new.action and normalize_text(new.action) not in normalize_text(known.action):
        more["Action"] = new.action
    # What failed again was not settled. What was promoted is the rule's business.
    reopened = (
        new.kind is Kind.ERR and known.status == Status.RESOLVED and new.status == Status.PENDING
    )
    if reopened:
        values["Status"] = Status.PENDING
    elif known.is_open and new.status == Status.RESOLVED:
        values["Status"] = Status.RESOLVED
    return Change(values, more), LogResult(known.id, path, True, count, reopened)


def _build_finder(entries: tuple[Entry, ...]) -> Callable[[Entry], int | None]:
    """Says which entry a draft is another case of: the last with its fingerprint or context."""
    by_fingerprint: dict[str, int] = {}
    by_context: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        if entry.fingerprint:
            by_fingerprint[entry.fingerprint] = number
        by_context[normalize_context(entry)].append(number)

    def find(draft: Entry) -> int | None:
        if draft.fingerprint in by_fingerprint:
            return by_fingerprint[draft.fingerprint]
        # Two failures with fingerprints of their own are two, whatever is said of them.
        fitting = (
            number
            for number in reversed(by_context.get(normalize_context(draft), []))
            if not (entries[number].fingerprint and draft.fingerprint)
        )
        return next(fitting, None)

    return find


@contextmanager
def _name_file_in_errors(path: Path) -> Iterator[None]:
    """Say which file an error of its content is about."""
    try:
        yield
    except LoopError as error:
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", error.hint) from error
