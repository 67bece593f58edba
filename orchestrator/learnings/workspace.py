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
    added,
    changed,
    changed_in,
    comparable,
    new_ids,
    parse,
    parse_about,
    same_context,
)
from orchestrator.masking import mask
from orchestrator.platform.files import find_git_top
from orchestrator.rulebook.text import safe_line
from orchestrator.session_hooks.writeahead import places

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

    def file(self, kind: Kind) -> Path:
        """The file that holds entries of this kind."""
        return self.base / places.LEARNINGS / _FILES[kind]

    @property
    def buffer(self) -> Path:
        """The working buffer."""
        return self.base / places.BUFFER

    @property
    def pending_errors(self) -> Path:
        """The log that the hook writes failed tool calls to."""
        return self.base / places.PENDING_ERRORS

    @property
    def project(self) -> Path | None:
        """What no link may lead out of; None for the user's own, who may keep it anywhere."""
        return None if self.everywhere else self.base

    @property
    def exists(self) -> bool:
        """Whether it was initialised."""
        return os.path.isdir(self.base / places.LEARNINGS)  # noqa: PTH112 -- False if it may not be read

    def document(self, kind: Kind) -> Document:
        """Read the entries of one kind."""
        with _naming(self.file(kind)):
            return parse(storage.read(self.file(kind), self.project))

    def entries(self) -> list[Entry]:
        """All entries, in the order of the files."""
        return [entry for kind in Kind for entry in self.document(kind).entries]

    def find(self, entry: str) -> Entry:
        """The entry with this id.

        Raises:
            UsageError: there is none, or more than one.
        """
        entry = entry.upper()
        found = [one for one in self.document(kind_of(entry)).entries if one.id == entry]
        if not found:
            raise UsageError(f"there is no entry {entry}", "`orchestrator learnings review` lists")
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} entries are called {entry} in {self.file(found[0].kind)}",
                "give all but one of them another number",
            )
        return found[0]


@dataclass(frozen=True)
class Made:
    """A file that `init` looked after."""

    path: Path
    created: bool


@dataclass(frozen=True)
class Logged:
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
    if found := places.local_base(str(project)):
        return Workspace(Path(found), everywhere=False)
    return Workspace(find_git_top(project.resolve()), everywhere=False)


def global_workspace() -> Workspace:
    """The user's workspace, whether it exists or not."""
    return Workspace(Path(places.global_base()).absolute(), everywhere=True)


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


def init(workspace: Workspace) -> list[Made]:
    """Create the files that are missing; those that are there are not touched.

    Raises:
        LoopError: they cannot be written.
    """
    wanted = {workspace.file(kind): f"# {TITLES[kind]}\n\n{_HEADS[kind]}\n" for kind in Kind}
    wanted[workspace.buffer] = _BUFFER_HEAD
    folder = workspace.base / places.LEARNINGS
    if not workspace.everywhere and folder.is_symlink():
        raise UsageError(f"{folder} is a link", "put a folder in its place")
    with storage.workspace_locked(workspace.base):
        return [
            Made(path, storage.create(path, text.encode(), workspace.project))
            for path, text in wanted.items()
        ]


def log(
    workspace: Workspace,
    kind: Kind,
    text: str,
    *,
    context: str = "",
    action: str = "",
    resolved: bool = False,
    fingerprint: str = "",
    on: date | None = None,
) -> Logged:
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
    content = safe_line(mask(text), TEXT_BOUND)
    if not content:
        raise UsageError("the text is empty", "say what happened")
    day = on or today()
    new = Entry(
        id="",
        kind=kind,
        status=Status.RESOLVED if resolved else Status.PENDING,
        context=safe_line(mask(context) or first_sentence(content), CONTEXT_BOUND),
        content=content,
        action=safe_line(mask(action), TEXT_BOUND),
        occurrences=1,
        first_seen=day,
        last_seen=day,
        fingerprint=fingerprint,
    )
    with storage.workspace_locked(workspace.base):
        return log_drafts(workspace, kind, [new])[0]


def log_drafts(workspace: Workspace, kind: Kind, new: Sequence[Entry]) -> list[Logged]:
    """Log entries without ids, no two of them with the same context: all or none of them.

    The caller holds the workspace's lock.

    Raises:
        LoopError: the file cannot be read or written.
    """
    path = workspace.file(kind)
    logged: list[Logged] = []

    def change(data: bytes) -> bytes:
        data, logged[:] = _merged(data, kind, new, path)
        return data

    with _naming(path):
        storage.edit(path, change, workspace.project)
    return logged


def resolve(workspace: Workspace, entry: str, action: str = "") -> Entry:
    """Set a pending entry to resolved, with what was done.

    Raises:
        UsageError: it is not pending, or nobody says what was done.
    """
    known = workspace.find(entry)
    if not known.open:
        raise UsageError(
            f"{known.id} is {known.status} already", "only a pending entry is resolved"
        )
    action = safe_line(mask(action), TEXT_BOUND)
    if not (action or known.action):
        raise UsageError(f"{known.id} does not say what was done about it", "say it with --action")
    more = {"Action": action} if action else {}
    set_fields(workspace, known, Status.PENDING, {"Status": Status.RESOLVED}, more)
    return workspace.find(known.id)


def set_fields(
    workspace: Workspace,
    entry: Entry,
    demanded: Status,
    values: dict[str, str],
    more: dict[str, str] | None = None,
) -> None:
    """Change an entry's fields, if its status is still what is demanded (pending: not dealt with).

    Raises:
        UsageError: somebody has changed its status in the meantime.
        LoopError: the file cannot be written.
    """
    path = workspace.file(entry.kind)

    def change(data: bytes) -> bytes:
        found = [(at, now) for at, now in enumerate(parse(data).entries) if now.id == entry.id]
        for at, now in found:
            if now.open if demanded is Status.PENDING else now.status == demanded:
                return changed(data, {at: Change(values, more or {})})
        raise UsageError(f"{entry.id} was changed in the meantime", "look at it again")

    with storage.workspace_locked(workspace.base), _naming(path):
        storage.edit(path, change, workspace.project)


def kind_of(entry: str) -> Kind:
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


def _merged(
    data: bytes, kind: Kind, new: Sequence[Entry], path: Path
) -> tuple[bytes, list[Logged]]:
    document = _document_for(data, new)
    find = _finder(document.entries)
    ids: dict[date, Iterator[str]] = {}
    changes: dict[int, Change] = {}
    fresh: list[Entry] = []
    logged = []
    for draft in new:
        number = find(draft)
        if number is None:
            day = draft.first_seen
            numbers = ids.setdefault(day, new_ids(document, kind, day))
            fresh.append(replace(draft, id=next(numbers)))
            logged.append(Logged(fresh[-1].id, path, False, draft.occurrences))
        else:
            known = document.entries[number]
            changes[number], result = _update(known, draft, path)
            logged.append(result)
    title = f"{TITLES[kind]}\n\n{_HEADS[kind]}"
    return added(changed_in(document, changes) if changes else data, fresh, title), logged


def _document_for(data: bytes, new: Sequence[Entry]) -> Document:
    """Return the file with at least all entries that one of the drafts may be another case of."""
    if len(new) > 1:
        return parse(data)
    return parse_about(data, [phrase for draft in new for phrase in _phrases(draft)])


def _phrases(draft: Entry) -> Iterator[str]:
    """Give what stands in every entry that a draft is another case of."""
    yield same_context(draft)
    if draft.fingerprint:
        yield comparable(draft.fingerprint)


def _update(known: Entry, new: Entry, path: Path) -> tuple[Change, Logged]:
    """What a draft changes of the entry that it is another case of."""
    count = known.occurrences + new.occurrences
    values = {
        "Occurrences": str(count),
        "First seen": str(min(known.first_seen, new.first_seen)),
        "Last seen": str(max(known.last_seen, new.last_seen)),
    }
    more = {}
    if comparable(new.content) not in comparable(known.content):
        addition = f"({new.last_seen}) {new.content}"
        if len(known.content) + len(addition) <= 2 * TEXT_BOUND:
            more["Content"] = addition
    if new.action and comparable(new.action) not in comparable(known.action):
        more["Action"] = new.action
    # What failed again was not settled. What was promoted is the rule's business.
    reopened = (
        new.kind is Kind.ERR and known.status == Status.RESOLVED and new.status == Status.PENDING
    )
    if reopened:
        values["Status"] = Status.PENDING
    elif known.open and new.status == Status.RESOLVED:
        values["Status"] = Status.RESOLVED
    return Change(values, more), Logged(known.id, path, True, count, reopened)


def _finder(entries: tuple[Entry, ...]) -> Callable[[Entry], int | None]:
    """Says which entry a draft is another case of: the last with its fingerprint or context."""
    by_fingerprint: dict[str, int] = {}
    by_context: defaultdict[str, list[int]] = defaultdict(list)
    for number, entry in enumerate(entries):
        if entry.fingerprint:
            by_fingerprint[entry.fingerprint] = number
        by_context[same_context(entry)].append(number)

    def find(draft: Entry) -> int | None:
        if draft.fingerprint in by_fingerprint:
            return by_fingerprint[draft.fingerprint]
        # Two failures with fingerprints of their own are two, whatever is said of them.
        fitting = (
            number
            for number in reversed(by_context.get(same_context(draft), []))
            if not (entries[number].fingerprint and draft.fingerprint)
        )
        return next(fitting, None)

    return find


@contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Say which file an error of its content is about."""
    try:
        yield
    except LoopError as error:
        if str(path) in error.message:
            raise
        raise type(error)(f"{path}: {error.message}", error.mend) from error
