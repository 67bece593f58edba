"""The work trees of lanes: make one, reset it, and commit what is in it."""

import contextlib
import os
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError
from orchestrator.platform.atomic import move_path
from orchestrator.platform.lane_notes import LaneNote
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.agents_git import restore_lane_entry
from orchestrator.workspace.git import Git, build_write_error
from orchestrator.workspace.lane_base import (
    WITHHELD,
    is_secret_name,
    open_bare,
)
from orchestrator.workspace.lane_files import STAGING, set_paths, stage_files
from orchestrator.workspace.lane_history import open_lane_history
from orchestrator.workspace.private import MACHINE_MADE

_INDEXES: Final = "indexes"
_MOST_INDEXES: Final = 3
"""Of one lane."""
_DRAFT_NANOSECONDS: Final = 3600 * 10**9
"""Age at which a temporary index was left behind by a process that was killed."""


@dataclass(frozen=True)
class LaneSnapshot:
    """A commit of the files of a lane."""

    commit: str
    left_out: tuple[str, ...] = ()
    """Paths that are not in it: repositories inside, unreadable files, huge and secret ones."""


@dataclass(frozen=True)
class LaneTree:
    """The work tree of a lane.

    Its files are looked at through a private index and by the repository's own folder, to which
    nothing in the lane leads: whatever an agent does to its `.git` link, its HEAD, its branches,
    its configuration and its index does not matter.

    Args:
        repository: the repository that the lanes share.
        folder: the top of the work tree.
        identity: the variables that name the author of commits.
    """

    repository: Path
    folder: Path
    identity: Mapping[str, str]

    def create(self, commit: str) -> None:
        """Create the work tree; do nothing if it is complete.

        The caller holds the lock: one lane is made after the other.

        Raises:
            InfrastructureError: git failed, or there is something else in the folder.
        """
        if self._note.is_complete:
            return
        try:
            self._take_folder()
            self._check_out(commit)
            self._note.write(complete=True)
        except OSError as error:
            raise build_write_error(error, self.folder) from error

    def reset(self, commit: str) -> None:
        """Make all files that git does not ignore what they are in a commit.

        HEAD of the lane is at the commit then, on no branch.

        Raises:
            InfrastructureError: git failed, or a file is in the way, or it is not the lane.
        """
        self._require_own()
        try:
            self._check_out(commit)
        except OSError as error:
            raise build_write_error(error, self.folder) from error

    def take_snapshot(self, parent: str, message: str, leave: Sequence[str]) -> LaneSnapshot:
        """Commit the files of the lane on top of a commit, by no branch.

        Raises:
            InfrastructureError: git failed, or it is not the lane.
        """
        self._require_own()
        bare = open_bare(self.repository).with_folder(self.repository, **self.identity)
        history = open_lane_history(bare)
        with self._open_index(parent) as git:
            staged = stage_files(git, self._load_withheld(), submodules=False)
            if not staged.changes:
                return LaneSnapshot(parent, staged.left_out)
            set_paths(git, parent, leave)
            tree = git.read_line("write-tree", "--missing-ok").decode("ascii")
        if tree == _find_tree(self.repository, parent):
            return LaneSnapshot(parent, staged.left_out)
        return LaneSnapshot(history.commit_tree(tree, [parent], message), staged.left_out)

    def list_unseen(self, commit: str) -> frozenset[str]:
        """Return the files that no snapshot has: ignored ones, and those that are left out.

        Caches and what tools generate are not among them.

        Args:
            commit: what is tracked.

        Raises:
            InfrastructureError: git failed, or it is not the lane.
        """
        self._require_own()
        options = ("ls-files", "-z", "--others", "--ignored")
        generated = [f"--exclude={pattern}" for pattern in MACHINE_MADE]
        with self._open_index(commit) as git:
            left_out = stage_files(git, self._load_withheld(), submodules=False).left_out
            ignored = set(git.read_output(*options, "--exclude-standard").split(b"\0"))
            ignored -= set(git.read_output(*options, *generated).split(b"\0"))
        return frozenset([*left_out, *map(os.fsdecode, ignored - {b""})])

    @property
    def _note(self) -> LaneNote:
        return LaneNote(self.repository, self.folder)

    def _take_folder(self) -> None:
        """Make the folder of the lane, or take it again after a kill."""
        make_private_folder(self.folder.parent)
        try:
            self.folder.mkdir()
        except FileExistsError:
            if self._note.is_own:  # a process that was killed has made it
                return
            is_folder = self.folder.is_dir() and not self.folder.is_symlink()
            if not is_folder or any(self.folder.iterdir()):
                raise InfrastructureError(
                    f"{self.folder} is in the way of a lane", "move it away, then run again"
                ) from None
        self._note.write(complete=False)

    def _require_own(self) -> None:
        """Check that the folder is still the one that was made: an agent may have put a link there.

        Raises:
            InfrastructureError: it is not; nothing of what is there now has been read.
        """
        if self._note.is_own:
            return
        if not os.path.lexists(self.folder):
            raise InfrastructureError(f"the lane {self.folder} is gone", "run the task again")
        raise InfrastructureError(
            f"{self.folder} is no lane: it, or a folder above it, was replaced since it was made",
            "nothing of it was read; see what it is, move it away, then run again",
        )

    def _check_out(self, commit: str) -> None:
        with self._open_index() as git:
            # All that is there is in the index before, so nothing of it is left behind.
            stage_files(git, self._load_withheld(), submodules=False)
            git.run("read-tree", "--reset", "-u", commit)
            self._store_index(git, commit)
            index = Path(git.environment["GIT_INDEX_FILE"])
            restore_lane_entry(self.repository, self._note.name, self.folder, commit, index)

    @contextlib.contextmanager
    def _open_index(self, commit: str = "") -> Iterator[Git]:
        """Yield git with a temporary index, for which files that have not changed are not read.

        Args:
            commit: what the index is to have; anything of this lane if it is empty.
        """
        folder = self.repository / _INDEXES
        draft = folder / f"{uuid.uuid4().hex}.draft"
        location = {
            "GIT_DIR": str(self.repository),
            "GIT_WORK_TREE": str(self.folder),
            "GIT_INDEX_FILE": str(draft),
        }
        git = Git(self.folder, location, STAGING)
        try:
            make_private_folder(folder)
            stored = self._locate_index(commit)
            if not (commit and _copy_index(stored, draft)):
                latest = max(folder.glob(f"{self._note.name}-*"), default=stored, key=_read_time)
                if not _copy_index(latest, draft):
                    git.run("read-tree", "--empty")
                if commit:
                    git.run("read-tree", "--reset", commit)
                    self._store_index(git, commit)
            yield git
        except OSError as error:
            raise build_write_error(error, folder) from error
        finally:
            with contextlib.suppress(OSError):
                draft.unlink(missing_ok=True)

    def _store_index(self, git: Git, commit: str) -> None:
        """Store an index that has what a commit has, with the times of the files of the lane."""
        git.run("update-index", "-q", "--refresh", allowed=(0, 1))
        stored, draft = self._locate_index(commit), git.environment["GIT_INDEX_FILE"]
        others = set(stored.parent.glob(f"{self._note.name}-*")) - {stored}
        _copy_index(Path(draft), Path(f"{draft}.copy"))
        move_path(f"{draft}.copy", stored)
        unused = sorted(others, key=_read_time)[: -(_MOST_INDEXES - 1)]
        abandoned = time.time_ns() - _DRAFT_NANOSECONDS
        unused += [one for one in stored.parent.glob("*.draft*") if _read_time(one) < abandoned]
        for other in unused:
            other.unlink(missing_ok=True)

    def _locate_index(self, commit: str) -> Path:
        return self.repository / _INDEXES / f"{self._note.name}-{commit}"

    def _load_withheld(self) -> "_Withheld":
        listed = (self.repository / WITHHELD).read_bytes().split(b"\0")[:-1]
        return _Withheld(frozenset(map(os.fsdecode, listed)))


@dataclass(frozen=True)
class _Withheld:
    """Says which untracked files of a lane are not committed: copies of the user's secrets."""

    paths: frozenset[str]

    def __call__(self, path: str) -> bool:
        return path in self.paths or is_secret_name(path, always=True)


@lru_cache(maxsize=64)
def _find_tree(repository: Path, commit: str) -> str:
    """Return the id of the tree of a commit, which is asked for every few seconds."""
    return open_lane_history(open_bare(repository)).resolve_commit(f"{commit}^{{tree}}")


def _copy_index(source: Path, target: Path) -> bool:
    """Copy an index with its time; return whether there is one.

    git reads a file again that is not older than the index.
    """
    try:
        shutil.copy2(source, target)
    except FileNotFoundError:
        return False
    return True


def _read_time(path: Path) -> int:
    with contextlib.suppress(OSError):
        return path.stat().st_mtime_ns
    return 0
