"""The repository that the lanes of a task list share.

It borrows the user's objects, and has the user's uncommitted work in the commit that the lanes
start from. Nothing but a branch and objects is ever written to the user's repository, and that
only by `publish`.
"""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.masking import mask_text
from orchestrator.platform.locking import FileLock
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.workspace.git import Git, build_write_error
from orchestrator.workspace.lane_base import (
    BASE,
    HEAD,
    WITHHELD,
    create_lane_repository,
    open_bare,
    require_commit,
)
from orchestrator.workspace.lane_history import LaneHistory, open_lane_history
from orchestrator.workspace.lane_trees import LaneSnapshot, LaneTree
from orchestrator.workspace.publishing import is_reachable, publish_commit
from orchestrator.workspace.repository import (
    Repository,
    find_repository,
    require_trusted_repository,
)
from orchestrator.workspace.repository_history import open_private_history
from orchestrator.workspace.virtual_merge import Merge, find_conflicts, merge_commits
from orchestrator.workspace.worktree import read_identity

_LOCK: Final = "repository.lock"
_NO_PROMPT: Final = {"GIT_ASKPASS": "true", "SSH_ASKPASS_REQUIRE": "never"}
_TRANSPORT: Final = ("gc.auto=0", "maintenance.auto=false", "push.gpgSign=false")

__all__ = ["LaneRepository", "LaneSnapshot", "Merge", "open_lane_repository"]


@dataclass(frozen=True)
class LaneRepository:
    """The repository that lanes share; `open_lane_repository` makes one.

    All paths are relative to the top of the user's repository, with surrogates for bytes that are
    not UTF-8. Every method raises InfrastructureError if git fails.

    Args:
        project: the user's project; may be a subfolder of its repository.
        user: the user's repository.
        folder: the repository that the lanes share.
    """

    project: Path
    user: Repository
    folder: Path

    @property
    def prefix(self) -> str:
        """The project's folder below the top: empty, or with a slash at the end."""
        return os.fsdecode(self.user.prefix)

    def create_base(self) -> str:
        """Return the commit that lanes start from; create it, and the repository, if needed.

        It is the user's HEAD with their uncommitted and untracked work on top; HEAD itself if
        there is none. Their index, stash and files stay as they are.

        Raises:
            UsageError: there is no commit yet, or a merge is not finished.
        """
        with self._lock():
            if not self.folder.is_dir():
                create_lane_repository(self.project, self.user, self.folder)
            base = self.read_ref(BASE)
        if not base:
            raise InfrastructureError(
                f"{self.folder} has lost its base", "start the list again under another name"
            )
        return base

    def check_base(self) -> None:
        """Fail as `create_base` would fail, without creating anything.

        Raises:
            UsageError: there is no commit yet, or a merge is not finished.
        """
        require_commit(self.project, self.user)

    @cached_property
    def uncommitted(self) -> tuple[str, ...]:
        """The paths that the base has and the user's last commit has not, or has otherwise."""
        return self.list_changes(self.read_ref(HEAD), self.read_ref(BASE))

    @cached_property
    def withheld(self) -> tuple[str, ...]:
        """The untracked files that are not in the base, because it will be published."""
        try:
            listed = (self.folder / WITHHELD).read_bytes()
        except OSError as error:
            raise build_write_error(error, self.folder) from error
        return tuple(os.fsdecode(path) for path in listed.split(b"\0")[:-1])

    def add_lane(self, folder: Path, commit: str) -> None:
        """Create the work tree of a lane, on no branch; an existing complete one is left."""
        with self._lock():
            self._open_lane(folder).create(commit)

    def reset_lane(self, folder: Path, commit: str) -> None:
        """Make the files of a lane what they are in a commit; ignored files stay.

        What the agent has left there is lost unless there is a snapshot of it.
        """
        self._open_lane(folder).reset(commit)

    def snapshot_lane(
        self, folder: Path, parent: str, message: str, leave: Sequence[str] = ()
    ) -> str:
        """Commit the files of a lane that git would add, and return the commit.

        Works while the agent works, and touches nothing of the lane.

        Args:
            folder: the lane.
            parent: the commit that it goes on top of.
            message: the commit's message.
            leave: files and folders that stay as they are in the parent.

        Returns:
            The parent itself if nothing differs.
        """
        return self.take_snapshot(folder, parent, message, leave).commit

    def take_snapshot(
        self, folder: Path, parent: str, message: str, leave: Sequence[str] = ()
    ) -> LaneSnapshot:
        """Do what `snapshot_lane` does, and report which paths could not be committed."""
        return self._open_lane(folder).take_snapshot(parent, message, leave)

    def list_unseen(self, folder: Path, commit: str) -> frozenset[str]:
        """Return the files of a lane that no snapshot has: ignored, secret, huge, unreadable ones.

        Caches and what tools generate are not among them. A folder, such as a repository inside,
        has a slash at its end.
        """
        return self._open_lane(folder).list_unseen(commit)

    def merge(self, onto: str, commit: str) -> Merge:
        """Merge a commit onto another one without a work tree."""
        return merge_commits(self._git, onto, commit)

    def find_conflicts(self, commits: Mapping[str, str]) -> list[tuple[str, str, tuple[str, ...]]]:
        """Return the pairs of commits that conflict, by their keys, with the paths."""
        return find_conflicts(self._git, commits)

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Store a commit of a tree, and return its id."""
        return self._history.commit_tree(tree, parents, message)

    def resolve(self, revision: str) -> str:
        """Return the id that a revision stands for; empty if there is none."""
        return self._history.resolve(revision)

    def tree_of(self, commit: str) -> str:
        """Return the id of the tree of a commit."""
        return self._history.resolve_commit(f"{commit}^{{tree}}")

    def read_ref(self, ref: str) -> str:
        """Return the commit that a ref points at; empty if there is no such ref."""
        return self._history.list_refs(ref).get(ref, "")

    def set_ref(self, ref: str, commit: str) -> None:
        """Point a ref at a commit."""
        self._history.set_ref(ref, commit)

    def move_ref(self, ref: str, new: str, old: str) -> bool:
        """Point a ref at `new` if it is at `old`; return whether it was. Empty: does not exist."""
        return self._history.move_ref(ref, new, old)

    def list_refs(self, prefix: str) -> dict[str, str]:
        """Return the refs below a prefix, such as `refs/orchestrator/work`, with their commits."""
        return self._history.list_refs(prefix)

    def list_changes(self, before: str, after: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits; a renamed file is two paths."""
        options = ("-r", "-z", "--name-only", "--no-renames", "--no-commit-id")
        printed = self._git.read_output("diff-tree", *options, before, after, "--")
        return tuple(os.fsdecode(path) for path in printed.split(b"\0")[:-1])

    def write_patch(self, before: str, after: str, file: Path) -> None:
        """Write what differs between two commits to a file, binary files in full."""
        options = ("-r", "-p", "--binary", "--no-ext-diff", "--no-textconv", "--find-renames")
        try:
            make_private_folder(file.parent)
            self._git.run("diff-tree", *options, before, after, "--", stdout_file=file)
        except OSError as error:
            raise build_write_error(error, file) from error

    def read_file(self, commit: str, path: str) -> bytes | None:
        """Return the bytes of a file in a commit; None if it is not in it."""
        done = self._git.run("cat-file", "blob", f"{commit}:{path}", allowed=(0, 128))
        return done.stdout if done.returncode == 0 else None

    def replace_files(self, commit: str, files: Mapping[str, bytes | None], message: str) -> str:
        """Commit other contents of some files on top of a commit; None deletes one.

        Returns:
            The new commit; the commit itself if nothing differs.
        """
        with self._temporary_index(commit) as git:
            zero = "0" * len(commit)
            lines = []
            for path, content in files.items():
                if content is None:
                    lines.append(f"0 {zero}\t{path}")
                    continue
                stored = self._git.run("hash-object", "-w", "--stdin", stdin=content).stdout
                lines.append(f"{self._find_mode(commit, path)} {stored.decode().strip()}\t{path}")
            stdin = b"".join(os.fsencode(line) + b"\0" for line in lines)
            git.run("update-index", "-z", "--replace", "--index-info", stdin=stdin)
            tree = git.read_line("write-tree", "--missing-ok").decode("ascii")
        if tree == self.tree_of(commit):
            return commit
        return self.commit_tree(tree, [commit], message)

    def list_commits(self, base: str, tip: str) -> list[tuple[str, str]]:
        """Return id and message of the commits of `tip` that are not in `base`, oldest first."""
        return self._history.list_commits(base, tip)

    def publish(self, commit: str, branch: str) -> str:
        """Point a branch of the user's repository at a commit; return why not, or nothing."""
        return publish_commit(self.user, self.folder, commit, branch)

    def is_published(self, commit: str) -> bool:
        """Return whether the user's repository has all that lanes have added up to a commit."""
        return commit == self.read_ref(BASE) or is_reachable(self.user, commit)

    def fetch(self, url: str, refspecs: Sequence[str]) -> None:
        """Fetch from another repository, without a question to anybody."""
        options = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
        self._exchange("fetch", *options, "--", url, *refspecs)

    def push(self, url: str, refspecs: Sequence[str]) -> None:
        """Push to another repository, without a question to anybody."""
        options = ("--quiet", "--no-verify", "--recurse-submodules=no")
        self._exchange("push", *options, "--", url, *refspecs)

    def _exchange(self, *arguments: str) -> None:
        git = replace(
            self._git, config=_TRANSPORT, environment={**self._git.environment, **_NO_PROMPT}
        )
        try:
            git.run(*arguments)
        except InfrastructureError as error:  # the address may have a password in it
            raise InfrastructureError(mask_text(error.message), error.hint) from None

    def _find_mode(self, commit: str, path: str) -> str:
        """Return the mode that a file keeps when its content is replaced."""
        literal = self._git.with_folder(self.folder, GIT_LITERAL_PATHSPECS="1")
        listed = literal.read_output("ls-tree", "-z", "--full-tree", commit, "--", path)
        return "100755" if listed.startswith(b"100755") else "100644"

    @contextmanager
    def _temporary_index(self, commit: str) -> Iterator[Git]:
        with tempfile.TemporaryDirectory(prefix="orchestrator-index-") as temporary:
            git = self._git.with_folder(self.folder, GIT_INDEX_FILE=f"{temporary}/index")
            git.run("read-tree", commit)
            yield git

    @contextmanager
    def _lock(self) -> Iterator[None]:
        try:
            lock = FileLock(self.folder.with_name(_LOCK))
            lock.acquire()
        except OSError as error:
            raise build_write_error(error, self.folder) from error
        try:
            yield
        finally:
            lock.release()

    def _open_lane(self, folder: Path) -> LaneTree:
        # Not resolved: an agent may have put a link in the place of its lane.
        return LaneTree(self.folder, folder.absolute(), self._identity)

    @property
    def _git(self) -> Git:
        return open_bare(self.folder)

    @cached_property
    def _identity(self) -> Mapping[str, str]:
        return read_identity(open_private_history(Git(self.user.top)))

    @property
    def _history(self) -> LaneHistory:
        return open_lane_history(self._git.with_folder(self.folder, **self._identity))


def open_lane_repository(project: Path, folder: Path) -> LaneRepository:
    """Open the repository for the lanes of a list; `create_base` creates it.

    Args:
        project: the user's project.
        folder: where it is, or will be.

    Raises:
        UsageError: the project is in no git repository, or in that of another user.
        InfrastructureError: git is missing, or cannot read the repository.
    """
    project = project.resolve()
    require_trusted_repository(project)
    repository = find_repository(project)
    if not repository:
        raise UsageError(
            f"{project} is not in a git repository, so no lane can start from it",
            "`git init`, and make a first commit",
        )
    return LaneRepository(project, repository, folder.resolve())
