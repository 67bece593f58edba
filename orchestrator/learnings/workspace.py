"""Where a workspace and its files are, and how one is created and opened."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.learnings import storage
from orchestrator.learnings.documents import Document, parse_document
from orchestrator.learnings.entries import ID, Entry, Kind
from orchestrator.platform.files import find_git_top
from orchestrator.platform.project import resolve_project
from orchestrator.session_hooks.writeahead import locations

TITLES: Final = {Kind.LRN: "Learnings", Kind.ERR: "Errors", Kind.FEAT: "Feature requests"}

_FILES: Final = {Kind.LRN: "LEARNINGS.md", Kind.ERR: "ERRORS.md", Kind.FEAT: "FEATURE_REQUESTS.md"}
INTRODUCTIONS: Final = {
    Kind.LRN: "What worked, and is worth doing again.",
    Kind.ERR: "Mistakes and wrong assumptions: what broke, and why.",
    Kind.FEAT: "What was needed more than once and is not there yet.",
}
_BUFFER_TEXT: Final = (
    "# Working buffer\n\nThe state of the task at hand, and write-ahead entries.\n"
)


def today() -> date:
    """Return the date in the user's time zone."""
    return datetime.now().astimezone().date()


@dataclass(frozen=True)
class Workspace:
    """A workspace: a project's own, or the user's global one."""

    base: Path
    everywhere: bool
    """Whether it is the global one."""

    def locate_file(self, kind: Kind) -> Path:
        """Return the file of the entries of one kind."""
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
        """The folder that no symbolic link may lead out of; None for the global workspace.

        A repository may come from a stranger, but the user may link the global files anywhere.
        """
        return None if self.everywhere else self.base

    @property
    def exists(self) -> bool:
        """Whether it was initialised."""
        return os.path.isdir(self.base / locations.LEARNINGS)  # noqa: PTH112 -- pathlib raises where it may not be read

    def read_document(self, kind: Kind) -> Document:
        """Read the entries of one kind."""
        with storage.name_file_in_errors(self.locate_file(kind)):
            return parse_document(storage.read_file(self.locate_file(kind), self.project))

    def read_entries(self) -> list[Entry]:
        """Return all entries, in the order of the files."""
        return [entry for kind in Kind for entry in self.read_document(kind).entries]

    def rewrite_entries(self, change: Callable[[str], str]) -> None:
        """Change the text of the files of entries, and of the working buffer.

        Raises:
            LoopError: a file cannot be read or written.
        """

        def change_data(data: bytes) -> bytes:
            text = data.decode("utf-8", "surrogateescape")
            return change(text).encode("utf-8", "surrogateescape")

        with storage.lock_workspace(self.base):
            for path in (*map(self.locate_file, Kind), self.buffer):
                if path.exists():
                    storage.edit_file(path, change_data, self.project)

    def find_entry(self, entry: str) -> Entry:
        """Return the entry with this id.

        Raises:
            UsageError: there is none, or more than one.
        """
        entry = entry.upper()
        found = [one for one in self.read_document(parse_kind(entry)).entries if one.id == entry]
        if not found:
            raise UsageError(
                f"there is no entry {entry}", "`orchestrator learnings review` lists them"
            )
        if len(found) > 1:
            raise UsageError(
                f"{len(found)} entries have the id {entry} in {self.locate_file(found[0].kind)}",
                "give all but one of them another number",
            )
        return found[0]


@dataclass(frozen=True)
class InitializedFile:
    """A file that `init` created or found."""

    path: Path
    created: bool


def local_workspace(project: Path) -> Workspace:
    """Return the project's workspace, whether it exists or not.

    A new one goes to the top of the git work tree, where sessions in every folder below find it.
    """
    if found := locations.find_local_base(str(project)):
        return Workspace(Path(found), everywhere=False)
    return Workspace(find_git_top(project.resolve()), everywhere=False)


def global_workspace() -> Workspace:
    """Return the user's workspace, whether it exists or not."""
    return Workspace(Path(locations.find_global_base()).absolute(), everywhere=True)


def find_workspace(project: Path) -> Workspace | None:
    """Return the workspace that a session in a project uses: the project's, or the global one."""
    for workspace in (local_workspace(project), global_workspace()):
        if workspace.exists:
            return workspace
    return None


def open_workspace(project: Path, *, everywhere: bool = False) -> Workspace:
    """Return the workspace that a command uses.

    Raises:
        UsageError: there is none yet, or no such project.
    """
    found = global_workspace() if everywhere else find_workspace(resolve_project(project))
    if found is None or not found.exists:
        raise UsageError(
            "there is no learnings workspace here",
            f"orchestrator learnings init {'global' if everywhere else 'local'}",
        )
    return found


def initialize_workspace(workspace: Workspace) -> list[InitializedFile]:
    """Create the missing files; existing ones are not touched.

    Raises:
        LoopError: they cannot be written.
    """
    wanted = {
        workspace.locate_file(kind): f"# {TITLES[kind]}\n\n{INTRODUCTIONS[kind]}\n" for kind in Kind
    }
    wanted[workspace.buffer] = _BUFFER_TEXT
    folder = workspace.base / locations.LEARNINGS
    if not workspace.everywhere and folder.is_symlink():
        raise UsageError(f"{folder} is a symbolic link", "replace it by a folder")
    with storage.lock_workspace(workspace.base):
        return [
            InitializedFile(path, storage.create_file(path, text.encode(), workspace.project))
            for path, text in wanted.items()
        ]


def parse_kind(entry: str) -> Kind:
    """Return the kind that an id begins with.

    Raises:
        UsageError: the text is not an id.
    """
    found = ID.fullmatch(entry.upper())
    if not found:
        raise UsageError(f"{entry!r} is not the id of an entry", "ids look like ERR-20260520-001")
    return Kind(found[1])
