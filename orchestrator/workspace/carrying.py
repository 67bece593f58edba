"""Carry the instruction files that git does not track into the work tree of a run.

Many people keep CLAUDE.md, AGENTS.md or `.claude/` to themselves: they are in `.gitignore`, in
`.git/info/exclude` or in core.excludesFile, not added yet, or hidden from git by a flag of the
index. A work tree that is made from a commit has none of them.

<run folder>/carried/PATH    each carried file as the user had it then
"""

import os
import shutil
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from orchestrator.errors import InfrastructureError
from orchestrator.platform import files
from orchestrator.platform.folders import (
    AGENTS_MD,
    CLAUDE_FOLDER,
    CLAUDE_LOCAL_MD,
    CLAUDE_MD,
    PROJECT_SETTINGS,
)
from orchestrator.workspace.git import Git

_NAMES: Final = frozenset({CLAUDE_MD, CLAUDE_LOCAL_MD, AGENTS_MD})
_IN_CLAUDE_FOLDER: Final = frozenset(
    {
        "agents",
        "commands",
        "hooks",
        "output-styles",
        "rules",
        "skills",
        *(name.removeprefix(f"{CLAUDE_FOLDER}/") for name in PROJECT_SETTINGS),
    }
)
"""What Claude Code reads from `.claude/`; it stores other things there too, such as work trees."""
_LARGEST_FILE: Final = 10_000_000
"""Bytes up to which a file is carried: a skill may come with data."""

_SKIPPED: Final = b"S"
"""Tag of `git ls-files -v` for skip-worktree, which a sparse checkout sets too."""
_HIDDEN: Final = (_SKIPPED, b"s", b"h")
"""The tags of files whose changes git does not look for; small letters are assume-unchanged."""


class CarryTarget(Protocol):
    """A work tree that gets files from the user's own: that of an isolated run, or a lane."""

    @property
    def folder(self) -> Path:
        """Its top."""

    @property
    def source(self) -> Path:
        """The top of the user's own work tree."""

    @property
    def git(self) -> Git | None:
        """Git in it, if it is as sparse as the user's own; None if it has all tracked files."""


@dataclass(frozen=True)
class LaneTarget:
    """A lane, which always has all tracked files."""

    folder: Path
    source: Path
    git: None = None


@dataclass(frozen=True)
class CarriedFiles:
    """The instruction files that a work tree has from the user's folder, and not from git.

    Args:
        worktree: the work tree.
        originals: the folder for a copy of each as it was when it was carried.
    """

    worktree: CarryTarget
    originals: Path

    def carry(self) -> tuple[str, ...]:
        """Copy the files into the work tree, before the run starts; return those left out.

        Links are copied as links. Called again, it copies what the files are by then. Tracked
        instruction files that a sparse checkout leaves out are checked out: a rule would be written
        into an empty file in their place.

        Raises:
            InfrastructureError: a file cannot be copied, or git failed.
        """
        top, folder = self.worktree.source, self.worktree.folder
        too_large: list[str] = []
        if git := self.worktree.git:
            _check_out_skipped(git, folder)
        for path in list_private_files(top):
            try:
                if (top / path).stat().st_size > _LARGEST_FILE:
                    too_large.append(path)
                    continue
                for target in (folder, self.originals):
                    _copy_file(top / path, target / path, top)
            except OSError as error:
                raise InfrastructureError(
                    f"{top / path} cannot be copied to the work tree: {error.strerror}",
                    "run without --isolate",
                ) from error
        return tuple(too_large)

    def list_paths(self) -> tuple[str, ...]:
        """Return the paths of the carried files, from the top of the work tree."""
        found = (os.path.relpath(path, self.originals) for path in files.iter_files(self.originals))
        return tuple(sorted(found))

    def list_private_paths(self, paths: Iterable[str]) -> tuple[str, ...]:
        """Return those paths that belong to the user alone: carried ones, and ignored ones.

        A file that git tracks is not ignored, whatever `.gitignore` says.

        Args:
            paths: paths from the top of the work tree; the files need not exist.

        Raises:
            InfrastructureError: git failed.
        """
        carried = set(self.list_paths())
        git = Git(self.worktree.source)
        return tuple(path for path in paths if path in carried or _is_ignored(git, path))


def list_private_files(top: Path) -> list[str]:
    """Return the instruction files in a user's folder whose content git does not have.

    Args:
        top: the top of the user's work tree.

    Returns:
        Paths from there, sorted.

    Raises:
        InfrastructureError: git failed.
    """
    git = Git(top)
    found: set[str] = set()
    for options in ((), ("--ignored",)):
        # `--directory`, so that node_modules is one entry and not 20,000.
        command = ("ls-files", "-z", "--others", "--exclude-standard", "--directory", *options)
        for entry in _split(git.read_output(*command)):
            found.update(_list_instruction_files(top, entry))
    found.update(_list_tagged_files(git, _HIDDEN))
    # A pipe or a folder of such a name is not carried, nor a link to nothing.
    return sorted(path for path in found if files.is_file(top / path))


def is_instruction_file(path: str) -> bool:
    """Return whether Claude Code, or another agent, reads a file as instructions or settings."""
    parts = path.split("/")
    return parts[-1] in _NAMES or _is_in_claude_folder(parts)


def _is_in_claude_folder(parts: Sequence[str]) -> bool:
    """Return whether a path is a part of `.claude/` that Claude Code reads."""
    if CLAUDE_FOLDER not in parts[:-1]:
        return False
    return parts[parts.index(CLAUDE_FOLDER) + 1] in _IN_CLAUDE_FOLDER


def _is_ignored(git: Git, path: str) -> bool:
    """Return whether git ignores a path that it does not track; it need not exist."""
    # 128: the path leads through a link.
    return git.run("check-ignore", "-q", "--", path, allowed=(0, 1, 128)).returncode == 0


def _check_out_skipped(git: Git, folder: Path) -> None:
    """Check out the instruction files that a sparse checkout has left out."""
    skipped = _list_tagged_files(git, (_SKIPPED,))
    if missing := [path for path in skipped if not os.path.lexists(folder / path)]:
        options = ("-q", "--ignore-skip-worktree-bits", "--")
        git.run("checkout", *options, *(f":(literal){path}" for path in missing))


def _list_tagged_files(git: Git, tags: Collection[bytes]) -> list[str]:
    """Return the instruction files of the index that have one of these tags."""
    records = git.read_output("ls-files", "-v", "-z").split(b"\0")
    paths = [os.fsdecode(record[2:]) for record in records if record[:1] in tags]
    return [path for path in paths if is_instruction_file(path)]


def _list_instruction_files(top: Path, entry: str) -> Iterator[str]:
    """Yield the instruction files of an entry of `git ls-files`: a file, or a folder with a `/`.

    A folder counts if it is `.claude` or in it. Other folders of which git has nothing are not in
    the work tree, so nothing reads the instructions in them.
    """
    if not entry.endswith("/"):
        if is_instruction_file(entry):
            yield entry
        return
    if CLAUDE_FOLDER not in entry.split("/"):
        return
    for above, folders, names in os.walk(top / entry):
        inside = os.path.relpath(above, top)
        folders[:] = [name for name in folders if _is_in_claude_folder([*inside.split("/"), name])]
        yield from (f"{inside}/{name}" for name in names if is_instruction_file(f"{inside}/{name}"))


def _copy_file(source: Path, target: Path, top: Path) -> None:
    """Copy a file with its mode; a link that leads out of the repository becomes absolute."""
    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    target.unlink(missing_ok=True)
    if not source.is_symlink():
        shutil.copy2(source, target)
        return
    leads_to = os.path.normpath(source.parent / source.readlink())
    inside = Path(leads_to).is_relative_to(top) and not source.readlink().is_absolute()
    target.symlink_to(source.readlink() if inside else leads_to)


def _split(printed: bytes) -> list[str]:
    return [os.fsdecode(path) for path in printed.split(b"\0") if path]
