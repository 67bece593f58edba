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
from orchestrator.platform import files
from orchestrator.platform.atomic import move_path
from orchestrator.platform.folders import GIT_FOLDER, hash_path
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.git import Git
from orchestrator.workspace.lane_base import (
    OWN_CONFIG,
    WITHHELD,
    build_write_error,
    is_secret_name,
    open_bare,
)
from orchestrator.workspace.lane_files import STAGING, set_paths, stage_files
from orchestrator.workspace.lane_history import LaneHistory, open_lane_history

_COMPLETE: Final = "lane-is-complete"
"""An empty file in the entry of a work tree, written when all of it is there."""
_INDEXES: Final = "indexes"
_MOST_INDEXES: Final = 3
"""Of one lane."""
_DRAFT_NANOSECONDS: Final = 3600 * 10**9
"""Age at which a temporary index was left behind by a process that was killed."""
_REPLACED: Final = "replaced"
_UNFINISHED: Final = (
    "MERGE_HEAD",
    "MERGE_MSG",
    "MERGE_MODE",
    "AUTO_MERGE",
    "CHERRY_PICK_HEAD",
    "REVERT_HEAD",
    "SQUASH_MSG",
    "BISECT_LOG",
    "BISECT_START",
    "rebase-merge",
    "rebase-apply",
    "sequencer",
    "index.lock",
    "HEAD.lock",
)
"""What git leaves in the entry of a work tree in the middle of a command of the agent."""


@dataclass(frozen=True)
class LaneSnapshot:
    """A commit of the files of a lane."""

    commit: str
    left_out: tuple[str, ...] = ()
    """Paths that are not in it: repositories inside, unreadable files, huge and secret ones."""


@dataclass(frozen=True)
class LaneTree:
    """The work tree of a lane.

    Its files are looked at through a private index and by the repository's own folder: whatever
    an agent does to its `.git` link, its HEAD, its branches and its index does not matter.

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
        self._restore_config()
        entry = self._find_entry()
        if entry and self.folder.is_dir() and (entry / _COMPLETE).exists():
            return
        try:
            if entry:  # made by a process that was killed in here, or the folder was deleted
                files.remove_path(self.folder)
                shutil.rmtree(entry)
            make_private_folder(self.folder.parent)
        except OSError as error:
            raise build_write_error(error, self.folder) from error
        if files.exists(self.folder) and (
            not files.is_folder(self.folder) or files.list_folder(self.folder)
        ):
            raise InfrastructureError(
                f"{self.folder} is in the way of a lane", "move it away, then run again"
            )
        history = open_lane_history(open_bare(self.repository))
        history.add_detached_worktree(self.folder, commit)
        self._check_out(commit)
        made = self._find_entry()
        if not made:
            raise InfrastructureError(f"{self.folder} has vanished", "run again")
        try:  # no ref: an agent may delete any
            files.write_file(made / _COMPLETE, b"", 0o600)
        except OSError as error:
            raise build_write_error(error, made) from error

    def reset(self, commit: str) -> None:
        """Make all files that git does not ignore what they are in a commit.

        HEAD of the lane is at the commit then, on no branch.

        Raises:
            InfrastructureError: git failed, or a file is in the way.
        """
        entry = self._find_entry()
        if not entry or not self.folder.is_dir():
            raise InfrastructureError(f"{self.folder} is no lane", "make it again")
        self._restore_config()
        try:
            for name in _UNFINISHED:
                files.remove_path(entry / name)
            self._restore_link(entry)
        except OSError as error:
            raise build_write_error(error, self.folder) from error
        self._check_out(commit)

    def take_snapshot(self, parent: str, message: str, leave: Sequence[str]) -> LaneSnapshot:
        """Commit the files of the lane on top of a commit, by no branch.

        Raises:
            InfrastructureError: git failed.
        """
        if not self.folder.is_dir():
            raise InfrastructureError(f"the lane {self.folder} is gone", "run the task again")
        self._restore_config()
        bare = open_bare(self.repository).with_folder(self.repository, **self.identity)
        history = open_lane_history(bare)
        with self._open_index(self.repository, parent) as git:
            staged = stage_files(git, self._load_withheld(), submodules=False)
            if not staged.changes:
                return LaneSnapshot(parent, staged.left_out)
            set_paths(git, parent, leave)
            tree = git.read_line("write-tree", "--missing-ok").decode("ascii")
        if tree == _find_tree(self.repository, parent):
            return LaneSnapshot(parent, staged.left_out)
        return LaneSnapshot(history.commit_tree(tree, [parent], message), staged.left_out)

    def _check_out(self, commit: str) -> None:
        entry = self._find_entry()
        if not entry:
            raise InfrastructureError(f"{self.folder} is no lane", "make it again")
        patterns = self.repository / "info" / "sparse-checkout"
        with contextlib.suppress(FileNotFoundError):
            (entry / "info").mkdir(exist_ok=True)
            shutil.copyfile(patterns, entry / "info" / "sparse-checkout")
        with self._open_index(entry) as git:
            # All that is there is in the index before, so nothing of it is left behind.
            stage_files(git, self._load_withheld(), submodules=False)
            git.run("read-tree", "--reset", "-u", commit)
            self._store_index(git, commit)
            shutil.copy2(git.environment["GIT_INDEX_FILE"], entry / "index")
        self._open_entry(entry).detach_head(commit)

    @contextlib.contextmanager
    def _open_index(self, git_folder: Path, commit: str = "") -> Iterator[Git]:
        """Yield git with a temporary index, for which files that have not changed are not read.

        Args:
            git_folder: the entry of the work tree, or the repository.
            commit: what the index is to have; anything of this lane if it is empty.
        """
        folder = self.repository / _INDEXES
        draft = folder / f"{uuid.uuid4().hex}.draft"
        location = {
            "GIT_DIR": str(git_folder),
            "GIT_WORK_TREE": str(self.folder),
            "GIT_INDEX_FILE": str(draft),
        }
        git = Git(self.folder, location, STAGING)
        try:
            make_private_folder(folder)
            stored = self._locate_index(commit)
            if not (commit and _copy_index(stored, draft)):
                latest = max(folder.glob(f"{self._name}-*"), default=stored, key=_read_time)
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
        others = set(stored.parent.glob(f"{self._name}-*")) - {stored}
        _copy_index(Path(draft), Path(f"{draft}.copy"))
        move_path(f"{draft}.copy", stored)
        unused = sorted(others, key=_read_time)[: -(_MOST_INDEXES - 1)]
        abandoned = time.time_ns() - _DRAFT_NANOSECONDS
        unused += [one for one in stored.parent.glob("*.draft*") if _read_time(one) < abandoned]
        for other in unused:
            other.unlink(missing_ok=True)

    @property
    def _name(self) -> str:
        return hash_path(self.folder)

    def _locate_index(self, commit: str) -> Path:
        return self.repository / _INDEXES / f"{self._name}-{commit}"

    def _find_entry(self) -> Path | None:
        """Return the entry of the work tree in the repository."""
        link = os.fsencode(self.folder / GIT_FOLDER)
        for found in sorted((self.repository / "worktrees").glob("*/gitdir")):
            with contextlib.suppress(OSError):
                if found.read_bytes().removesuffix(b"\n") == link:
                    return found.parent
        return None

    def _open_entry(self, entry: Path) -> LaneHistory:
        location = {"GIT_DIR": str(entry), "GIT_WORK_TREE": str(self.folder)}
        return open_lane_history(Git(self.folder, location))

    def _load_withheld(self) -> "_Withheld":
        listed = (self.repository / WITHHELD).read_bytes().split(b"\0")[:-1]
        return _Withheld(frozenset(map(os.fsdecode, listed)))

    def _restore_link(self, entry: Path) -> None:
        """Write the `.git` link again; what the agent has put there is moved aside."""
        link, text = self.folder / GIT_FOLDER, os.fsencode(f"gitdir: {entry}\n")
        if link.is_file() and not link.is_symlink():
            if link.read_bytes() == text:
                return
        elif files.exists(link):
            aside = self.repository / _REPLACED
            make_private_folder(aside)
            shutil.move(link, aside / f"{self.folder.name}.{uuid.uuid4().hex}")
        link.write_bytes(text)

    def _restore_config(self) -> None:
        """Write our configuration again if an agent has changed it: it may name programs."""
        ours = (self.repository / OWN_CONFIG).read_bytes()
        config = self.repository / "config"
        if files.read_whole_file(config) != ours:
            files.write_file(config, ours, 0o600, durable=False)


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
