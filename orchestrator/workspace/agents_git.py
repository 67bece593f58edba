"""The repository that agents see in lanes: theirs to use, and nothing of the program reads it.

<list>/lanes.git/                      bare; it borrows the objects of `<list>/repository.git`
<list>/lanes.git/worktrees/<hash>/     the entry of a lane, to which the lane's `.git` leads

All of it is written as plain files, from `repository.git`, whenever a lane is made or reset. git
is never run here by the program: an agent may have changed its configuration, its filters, its
ignore rules and its refs, or put links in the place of its folders.
"""

import contextlib
import os
import shutil
import stat
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator.platform import files
from orchestrator.platform.atomic import move_path
from orchestrator.platform.folders import GIT_FOLDER
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.private import format_alternates

AGENTS_REPOSITORY: Final = "lanes.git"

_HEAD: Final = b"ref: refs/heads/lanes\n"
_FOLDERS: Final = (
    "",
    "info",
    "objects",
    "objects/info",
    "refs",
    "refs/heads",
    "worktrees",
)
_COPIES: Final = (
    "config",
    "shallow",
    "info/attributes",
    "info/exclude",
    "info/sparse-checkout",
)
_UNWANTED: Final = ("hooks", "commondir", "config.worktree")
"""With these an agent of one lane would decide what git does in another one."""
_SPARSE: Final = "info/sparse-checkout"
_REPLACED: Final = "replaced"
"""A folder of the list: what an agent has put in the place of something else is moved there."""
_DRAFTS: Final = "entries"
_LOCKED: Final = b"a lane of a task list; `orchestrator tasks clean` removes it"


def restore_agents_repository(repository: Path) -> Path:
    """Make the repository for agents, or repair what one has damaged, and return its folder.

    Args:
        repository: the repository of the list.

    Raises:
        OSError: it cannot be written.
    """
    agents = repository.with_name(AGENTS_REPOSITORY)
    for name in _FOLDERS:
        _restore_folder(repository, agents / name)
    for name in _UNWANTED:
        _move_aside(repository, agents / name)
    for name in _COPIES:
        _restore_file(repository, agents / name, files.read_whole_file(repository / name))
    alternates = format_alternates(repository / "objects")
    _restore_file(repository, agents / "objects" / "info" / "alternates", alternates)
    _restore_file(repository, agents / "HEAD", _HEAD)
    return agents


def restore_lane_entry(repository: Path, name: str, top: Path, commit: str, index: Path) -> None:
    """Let git work in a lane: on no branch, with an index, and in the middle of nothing.

    Args:
        repository: the repository of the list.
        name: the name of the entry.
        top: the top of the lane.
        commit: the commit that HEAD is at.
        index: what the index of the lane is a copy of.

    Raises:
        OSError: it cannot be written.
    """
    agents = restore_agents_repository(repository)
    draft, entry = repository / _DRAFTS / name, agents / "worktrees" / name
    files.remove_path(draft)  # of a process that was killed
    make_private_folder(draft / "info")
    link = top / GIT_FOLDER
    for file, content in (
        ("HEAD", f"{commit}\n".encode("ascii")),
        ("commondir", b"../..\n"),
        ("gitdir", os.fsencode(link) + b"\n"),
        ("locked", _LOCKED),  # `git worktree prune` of an agent in another lane leaves it
    ):
        (draft / file).write_bytes(content)
    shutil.copy2(index, draft / "index")
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(repository / _SPARSE, draft / _SPARSE)
    _remove_replaced(_move_aside(repository, entry))
    move_path(draft, entry)
    _restore_file(repository, link, b"gitdir: " + os.fsencode(entry) + b"\n")


def _restore_folder(repository: Path, folder: Path) -> None:
    if not _is_kind(folder, stat.S_ISDIR):
        _move_aside(repository, folder)
        with contextlib.suppress(FileExistsError):  # another lane is made or reset as well
            folder.mkdir(mode=0o700)


def _restore_file(repository: Path, file: Path, content: bytes | None) -> None:
    if _is_kind(file, stat.S_ISREG) and content is not None:
        if files.read_whole_file(file) != content:
            files.write_file(file, content, 0o600)  # in its place: it may have another name, too
        return
    _move_aside(repository, file)
    if content is not None:
        files.write_file(file, content, 0o600)


def _move_aside(repository: Path, path: Path) -> Path | None:
    if not os.path.lexists(path):
        return None
    aside = repository / _REPLACED
    make_private_folder(aside)
    target = aside / f"{path.name.lstrip('.')}.{uuid.uuid4().hex}"
    with contextlib.suppress(FileNotFoundError):
        move_path(path, target)
        return target
    return None


def _remove_replaced(path: Path | None) -> None:
    if path:
        with contextlib.suppress(OSError):
            files.remove_path(path)


def _is_kind(path: Path, is_mode: Callable[[int], bool]) -> bool:
    with contextlib.suppress(OSError):
        return is_mode(path.lstat().st_mode)
    return False
