"""Bring a private index up to date with the files of a work tree, as `git add -A` would.

`git add` is not used: it runs `git status` in repositories inside the work tree, it gives up on
the first file that vanishes, and it reads files of any size.
"""

import os
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.workspace.git import Git, find_closed_folders

MOST_BYTES: Final = 100 * 1024 * 1024
"""Size up to which a file is committed; what is larger is hardly source."""

_GITLINK: Final = b"160000"
_UNTRACKED: Final = b"?"
_NO_FILTER: Final = (b"unspecified", b"unset")

STAGING: Final = ("core.bare=false", "core.safecrlf=false")
"""Settings for git that stages files: a mixture of line endings is no reason to refuse one."""


@dataclass(frozen=True)
class StagedFiles:
    """What became of the changed files of a work tree."""

    changes: bool
    """Whether anything was staged."""
    left_out: tuple[str, ...]
    """Repositories inside, unreadable files, huge and withheld ones."""


Withhold = Callable[[str], bool]
"""Says of an untracked path, from the top, whether it must not be committed."""


class _Kind(Enum):
    """What is on disk where a path is."""

    FILE = auto()
    FOLDER = auto()
    GONE = auto()
    """Nothing, or something that git cannot store: a pipe, a socket, a device."""
    CLOSED = auto()
    """A file that cannot be read."""
    HUGE = auto()


@dataclass
class _Sorted:
    """The changed paths, by what is to be done with them."""

    stage: list[bytes] = field(default_factory=list)
    remove: list[bytes] = field(default_factory=list)
    folders: list[bytes] = field(default_factory=list)
    """Tracked paths where a folder is now: submodules, and files that became folders."""
    left_out: set[bytes] = field(default_factory=set)


def stage_files(git: Git, withhold: Withhold, *, submodules: bool) -> StagedFiles:
    """Stage all changed and new files that git does not ignore.

    Args:
        git: git at the top of the work tree, with the private index.
        withhold: which untracked files are left out.
        submodules: whether the commits that submodules are at are staged too.

    Raises:
        InfrastructureError: git failed.
    """
    found = _sort_changes(git, withhold)
    gitlinks = _list_gitlinks(git, found.folders)
    found.remove += [path for path in found.folders if path not in gitlinks]
    if submodules:
        found.stage += sorted(gitlinks)
    if found.remove:
        git.run("update-index", "-z", "--force-remove", "--stdin", stdin=_join(found.remove))
    found.left_out |= _stage_paths(git, sorted(found.stage))
    left_out = tuple(os.fsdecode(path) for path in sorted(found.left_out))
    return StagedFiles(bool(found.remove or found.stage), left_out)


def set_paths(git: Git, parent: str, paths: Sequence[str]) -> None:
    """Make files and folders in the index what they are in a commit.

    Raises:
        InfrastructureError: git failed.
    """
    pathspecs = [path.strip("/") for path in paths if path.strip("/")]
    if not pathspecs:
        return
    literal = git.with_folder(git.folder, GIT_LITERAL_PATHSPECS="1")
    now = literal.read_output("ls-files", "--stage", "-z", "--", *pathspecs)
    # `mode oid stage TAB path`; here and there `mode kind oid TAB path`
    present = dict(_split_entry(entry, 1) for entry in now.split(b"\0")[:-1])
    then = literal.read_output("ls-tree", "-r", "-z", "--full-tree", parent, "--", *pathspecs)
    wanted = dict(_split_entry(entry, 2) for entry in then.split(b"\0")[:-1])
    zero = b"0" * len(parent)
    lines = [b"0 " + zero + b"\t" + path for path in present if path not in wanted]
    lines += [entry + b"\t" + path for path, entry in wanted.items() if present.get(path) != entry]
    if lines:
        git.run("update-index", "-z", "--replace", "--index-info", stdin=_join(lines))


def _split_entry(entry: bytes, position: int) -> tuple[bytes, bytes]:
    """Return the path of a listed entry, and its mode and id."""
    about, _, path = entry.partition(b"\t")
    words = about.split(b" ")
    return path, words[0] + b" " + words[position]


def _sort_changes(git: Git, withhold: Withhold) -> _Sorted:
    options = ("-z", "-t", "--others", "--modified", "--exclude-standard")
    done = git.run("ls-files", *options)
    listed = done.stdout.split(b"\0")[:-1]
    found = _Sorted(left_out=find_closed_folders(done.stderr))
    for tag, path in dict.fromkeys((entry[:1], entry[2:]) for entry in listed):
        untracked = tag == _UNTRACKED
        if path.endswith(b"/") or (untracked and withhold(os.fsdecode(path))):
            found.left_out.add(path)
            continue
        kind = _look_at(git.folder, path)
        if kind is _Kind.HUGE and _is_filtered(git, path):
            kind = _Kind.FILE  # Git LFS: only a pointer is stored
        if kind is _Kind.FILE:
            found.stage.append(path)
        elif kind in (_Kind.CLOSED, _Kind.HUGE):
            found.left_out.add(path)
        elif not untracked:
            (found.folders if kind is _Kind.FOLDER else found.remove).append(path)
    return found


def _look_at(top: Path, path: bytes) -> _Kind:
    full = top / os.fsdecode(path)
    try:
        status = full.lstat()
    except PermissionError:  # it is in a folder that cannot be entered
        return _Kind.CLOSED
    except OSError:
        return _Kind.GONE
    if stat.S_ISDIR(status.st_mode):
        return _Kind.FOLDER
    is_link = stat.S_ISLNK(status.st_mode)
    if _is_behind_link(top, full) or not (is_link or stat.S_ISREG(status.st_mode)):
        return _Kind.GONE
    if not (is_link or os.access(full, os.R_OK)):
        return _Kind.CLOSED
    return _Kind.HUGE if status.st_size > MOST_BYTES else _Kind.FILE


def _is_behind_link(top: Path, full: Path) -> bool:
    """Return whether a folder above a path is a link by now."""
    return any(folder.is_symlink() for folder in full.parents if top in folder.parents)


def _is_filtered(git: Git, path: bytes) -> bool:
    answer = git.read_output("check-attr", "-z", "--stdin", "filter", stdin=path + b"\0")
    return answer.split(b"\0")[2] not in _NO_FILTER


def _list_gitlinks(git: Git, folders: Sequence[bytes]) -> set[bytes]:
    if not folders:
        return set()
    literal = git.with_folder(git.folder, GIT_LITERAL_PATHSPECS="1")
    names = [os.fsdecode(path) for path in folders]
    listed = literal.read_output("ls-files", "--stage", "-z", "--", *names).split(b"\0")[:-1]
    entries = (_split_entry(entry, 1) for entry in listed)
    return {path for path, entry in entries if entry.startswith(_GITLINK)}


def _stage_paths(git: Git, paths: Sequence[bytes]) -> set[bytes]:
    """Stage paths; return those that are unreadable by now, or have a forbidden name."""
    if not paths:
        return set()
    command = ("update-index", "-z", "--add", "--remove", "--replace", "--stdin")
    done = git.run(*command, stdin=_join(paths), allowed=(0, 1, 128))
    if done.returncode == 0:  # of a name such as `git~1` it says only that it ignores it
        return {path for path in paths if b"Ignoring path " + path in done.stderr}
    if len(paths) > 1:  # it stops at the first that it cannot read
        middle = len(paths) // 2
        return _stage_paths(git, paths[:middle]) | _stage_paths(git, paths[middle:])
    if _look_at(git.folder, paths[0]) is _Kind.FILE:
        again = git.run(*command, stdin=_join(paths), allowed=(0, 1, 128))
        if again.returncode:
            raise _build_refusal(git, paths[0], again.stderr)
        return set()
    return set(paths)


def _build_refusal(git: Git, path: bytes, stderr: bytes) -> InfrastructureError:
    reason = " ".join(stderr.decode("utf-8", "replace").split())
    name = path.decode("utf-8", "backslashreplace")
    return InfrastructureError(
        f"git cannot store {name} of {git.folder}: {reason}", f"run `git add` in {git.folder}"
    )


def _join(records: Iterable[bytes]) -> bytes:
    return b"".join(record + b"\0" for record in records)
