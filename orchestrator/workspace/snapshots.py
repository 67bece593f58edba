"""Snapshots of a project as git trees, made without touching the user's repository."""

import os
import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

from orchestrator.errors import InfrastructureError
from orchestrator.models import Diff, Snapshot
from orchestrator.platform import files
from orchestrator.workspace.empty_folders import FolderModes, list_empty_folders
from orchestrator.workspace.git import (
    Git,
    build_write_error,
    decode_path,
    find_closed_folders,
)
from orchestrator.workspace.modes import Modes
from orchestrator.workspace.pinning import PinnedTree, pin_tree
from orchestrator.workspace.private import PrivateGit, open_private_git
from orchestrator.workspace.repository import find_repository
from orchestrator.workspace.restore import Restoration, sign_files
from orchestrator.workspace.restore_plan import (
    LeftReason,
    PlannedRestore,
    RestorePlanner,
    build_planned_tree,
    build_tree,
)
from orchestrator.workspace.tree_files import copy_files
from orchestrator.workspace.trees import (
    Comparison,
    Content,
    compare_trees,
    list_changes,
    list_paths,
    list_tree,
)
from orchestrator.workspace.unseen_paths import UnseenPaths


def open_workspace(project: Path, state: Path) -> "GitWorkspace":
    """Open a project's files through git, from outside.

    Seen are the files that git tracks or would add, except for generated ones (`.venv`,
    `node_modules`, `__pycache__` and the like) that the ignore rules do not mention. A folder
    without git, or one that its repository ignores, is seen through a git directory in `state`.

    Nothing is written into the user's `.git`, with one exception that is git's own: if an object
    exists already, git renews the time of the object's file, so that it is not pruned.

    Args:
        project: the project's folder; may be a subfolder of a repository.
        state: a private folder for this run, created if it does not exist. A workspace that is
            opened again with the same folder continues where it was.

    Raises:
        InfrastructureError: git is missing or fails, or `state` cannot be written.
    """
    project, state = project.resolve(), state.resolve()
    repository = find_repository(project)
    try:
        return GitWorkspace(open_private_git(project, repository, state), state)
    except OSError as error:
        raise build_write_error(error, state) from error


class GitWorkspace:
    """A project's files, seen through git. `open_workspace` makes one.

    A snapshot has the bytes as they are on disk. No clean filter and no conversion of line endings
    or encodings is applied, because a filter is a program that the repository chooses, and because
    only the bytes themselves can be restored exactly. A file under Git LFS is stored whole.
    Nothing else that a repository configures is run either: no hook, fsmonitor, external diff or
    textconv, including those of a repository inside the project.
    """

    def __init__(self, private: PrivateGit, state: Path) -> None:
        self._private, self._state = private, state
        self._git = private.project
        self._unseen = UnseenPaths(state)
        self._last_tree = private.empty_tree
        self._listed: tuple[str, list[bytes]] = (self._last_tree, [])
        """The tree that was listed last, and its paths."""
        self._compared: Comparison | None = None
        """The comparison of the last two trees, if they differ."""
        self.unseen_paths: tuple[str, ...] = ()
        """Paths that the last snapshot could not see: nested repositories, unreadable files."""

    def take_snapshot(self) -> Snapshot:
        """Store the project's current files and return the id of their tree.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        unseen = self._update_index()
        tree = self._write_tree()
        # git adds a nested repository as a gitlink, without its files. The gitlink must not stay:
        # the next `git add` would run `git status` in there, with that repository's configuration.
        inside = self._find_repositories(tree)
        if inside:
            paths = b"".join(path + b"\0" for path in inside)
            self._git.run("update-index", "-z", "--force-remove", "--stdin", stdin=paths)
            tree = self._write_tree()
        self._last_tree = tree
        unseen |= {path + b"/" for path in inside}
        self.unseen_paths = tuple(decode_path(path) for path in sorted(unseen))
        self._unseen.record_paths(tree, unseen)
        return Snapshot(tree)

    def _find_repositories(self, tree: str) -> list[bytes]:
        """Return the paths of nested repositories that are new since the last snapshot."""
        if tree == self._last_tree:
            return []
        if self._last_tree == self._private.empty_tree:
            paths, inside = list_tree(self._git, tree)
            self._listed = tree, paths
            return inside
        self._compared = compare_trees(self._git, self._last_tree, tree)
        return self._compared.gitlinks

    def remember_modes(self, snapshot: Snapshot) -> None:
        """Store the modes of the files of a snapshot that has just been taken.

        A file that is deleted later is restored with its own mode, not with git's.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        tree, paths = self._listed
        self._listed = self._private.empty_tree, []  # they take 10 MB in a large project
        if tree != snapshot.tree:
            paths = list_paths(self._git, snapshot.tree)
        try:
            Modes(self._git.folder, self._state / "modes").record_tree(snapshot.tree, paths)
        except OSError as error:
            raise build_write_error(error, self._state) from error

    def restore_command(self, snapshot: Snapshot) -> str:
        """Return the command that prints a file of a snapshot; PATH in it is to be replaced.

        It prints the bytes as they were on disk. Paths are relative to the project's folder.
        """
        folder = shlex.quote(str(self._private.folder))
        return f"git --git-dir={folder} cat-file blob {snapshot.tree}:PATH"

    def diff_command(self, before: Snapshot, after: Snapshot) -> str:
        """Return the command that prints the diff of two snapshots, secrets included."""
        folder = shlex.quote(str(self._private.folder))
        return f"git --git-dir={folder} diff-tree -r -p --binary {before.tree} {after.tree}"

    def read_file(self, snapshot: Snapshot, path: str) -> bytes | None:
        """Return the bytes of a file of a snapshot; None if it is not in it."""
        done = self._git.run("cat-file", "blob", f"{snapshot.tree}:{path}", allowed=(0, 128))
        return done.stdout if done.returncode == 0 else None

    def diff_snapshots(self, before: Snapshot, after: Snapshot, patch: Path) -> Diff:
        """Write what changed between two snapshots to the file `patch`, and list it.

        The patch is in git's format, with binary files in full, and is not held in memory. Paths in
        the list are for people: bytes that are not UTF-8 are escaped.

        Raises:
            InfrastructureError: git failed, or `patch` cannot be written.
        """
        try:
            return self._find_comparison(before.tree, after.tree).write_diff(self._git, patch)
        except OSError as error:
            raise build_write_error(error, patch) from error

    def restore_files(
        self, to: Snapshot, changed_since: Snapshot, leave: Collection[str] = ()
    ) -> tuple[str, ...]:
        """Restore the files of `to` that differ from `changed_since`.

        A file that differs from `changed_since` by now was edited by somebody else, and is left
        alone, even if that happens while the others are restored. So is a file that `to` could not
        see because it was ignored or unreadable: its absence from `to` does not mean that it did
        not exist. Each file is replaced atomically, and an interrupted restore can be repeated.

        Args:
            to: the snapshot whose files are restored.
            changed_since: the snapshot that shows what changed after `to`.
            leave: paths that are not touched, whatever they hold.

        Returns:
            The paths that were left alone.

        Raises:
            InfrastructureError: git failed, or a file cannot be written.
        """
        differing = list_changes(self._git, changed_since.tree, to.tree)
        seen = sign_files(self._git.folder, (change.path for change in differing))
        now = self.take_snapshot()
        hidden = self._list_hidden(to, now, leave)
        restoration = Restoration(self._private, self._state, hidden, seen)
        try:
            left_alone = restoration.restore_files(to.tree, changed_since.tree, now.tree)
        except OSError as error:
            raise InfrastructureError(
                f"{error.filename or self._git.folder} cannot be restored: {error.strerror}",
                "make it writable, or free some space; then run again",
            ) from error
        names = ((decode_path(path), os.fsdecode(path)) for path in sorted(left_alone))
        return tuple(shown for shown, name in names if shown not in leave and name not in leave)

    def plan_restore(
        self, to: Snapshot, changed_since: Snapshot, leave: Mapping[str, LeftReason]
    ) -> PlannedRestore:
        """Return what `restore_files` would do, without doing it; `leave` also has the reasons.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        now = self.take_snapshot()
        hidden = self._list_hidden(to, now, leave)
        planner = RestorePlanner(self._private, self._state, hidden)
        try:
            plan = planner.plan_restore(to.tree, changed_since.tree, now.tree)
            then = build_planned_tree(self._private, self._state, now.tree, plan)
        except OSError as error:
            raise build_write_error(error, self._state) from error
        left = {os.fsdecode(path): reason for path, reason in sorted(plan.left.items())}
        left = {path: leave.get(path, reason) for path, reason in left.items()}
        return PlannedRestore(now, Snapshot(then), left)

    def list_changed_contents(self, before: Snapshot, after: Snapshot) -> dict[str, Content]:
        """Return the contents in `after` of the paths that differ.

        Paths have surrogates for bytes that are not UTF-8.
        """
        changes = list_changes(self._git, before.tree, after.tree)
        return {os.fsdecode(change.path): change.after for change in changes}

    def build_snapshot(self, base: Snapshot, contents: Mapping[str, Content]) -> Snapshot:
        """Return a snapshot with other contents for some paths, without touching the project.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        encoded = {os.fsencode(path): content for path, content in contents.items()}
        try:
            return Snapshot(build_tree(self._private, self._state, base.tree, encoded))
        except OSError as error:
            raise build_write_error(error, self._state) from error

    def copy_files(self, snapshot: Snapshot, paths: Collection[str], folder: Path) -> None:
        """Write some files of a snapshot into a new folder, which exists as a whole or not at all.

        Args:
            snapshot: the snapshot.
            paths: the files, with surrogates for bytes that are not UTF-8.
            folder: the folder; nothing is done if it exists.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        encoded = [os.fsencode(path) for path in paths]
        try:
            copy_files(self._private, self._state, snapshot.tree, encoded, folder)
        except OSError as error:
            raise build_write_error(error, folder) from error

    def list_changed_paths(self, one: Snapshot, other: Snapshot) -> frozenset[str]:
        """Return the paths that differ, with surrogates for bytes that are not UTF-8."""
        return frozenset(self.list_changed_contents(one, other))

    def list_unseen_paths(self, snapshot: Snapshot) -> frozenset[str]:
        """Return the paths that a snapshot could not see, for people."""
        return frozenset(map(decode_path, self._unseen.read_paths(snapshot.tree)))

    def list_files(self, snapshot: Snapshot) -> list[bytes]:
        """Return the paths of all files of a snapshot."""
        return list_paths(self._git, snapshot.tree)

    def list_empty_folders(self) -> FolderModes:
        """Return the folders without files at the time of the last snapshot."""
        return list_empty_folders(self._git)

    def pin_snapshot(self, pinned: PinnedTree, folder: Path) -> None:
        """Store the tree of a snapshot in a folder that depends on no other.

        Raises:
            InfrastructureError: the tree is too large or incomplete, or it cannot be written.
        """
        pin_tree(self._git, pinned, folder)

    def _list_hidden(self, to: Snapshot, now: Snapshot, leave: Collection[str]) -> frozenset[bytes]:
        """Return the paths that a restore leaves alone: unseen ones, and those it is to leave."""
        unseen = self._unseen.read_paths(to.tree) | self._unseen.read_paths(now.tree)
        return unseen | {os.fsencode(path) for path in leave}

    def _find_comparison(self, before: str, after: str) -> Comparison:
        known = self._compared
        if known and (known.before, known.after) == (before, after):
            return known
        return compare_trees(self._git, before, after)

    def _update_index(self) -> set[bytes]:
        """Update the private index, and return the paths that git could not add."""
        command = ("add", "-A", "--ignore-errors", "--no-warn-embedded-repo", "--", ".")
        done = self._git.run(*command, allowed=(0, 1, 128))
        if done.returncode == 128:
            # A file can vanish between being listed and being read.
            done = self._git.run(*command, allowed=(0, 1))
        prefix = self._private.prefix
        closed = {path.removeprefix(prefix) for path in find_closed_folders(done.stderr)}
        if done.returncode == 0:
            return closed
        missing = set(_read_paths(self._git, "ls-files", "-z", "--others", "--exclude-standard"))
        missing.update(_read_paths(self._git, "diff-files", "-z", "--name-only", "--relative"))
        # A path that git did not complain about was written after `git add` had passed it.
        missing = {path for path in missing if path.rstrip(b"/") in done.stderr}
        special = {
            path for path in missing if files.is_special(self._git.folder / os.fsdecode(path))
        }
        if special:  # a pipe or a socket has no content, so the file that was there is gone
            listed = b"".join(path + b"\0" for path in special)
            self._git.run("update-index", "-z", "--force-remove", "--stdin", stdin=listed)
            missing -= special
        if any(self._should_be_seen(path) for path in missing):
            raise self._git.build_error(command, done)
        return missing | closed

    def _should_be_seen(self, path: bytes) -> bool:
        full = self._git.folder / os.fsdecode(path)
        return not path.endswith(b"/") and (full.is_symlink() or os.access(full, os.R_OK))

    def _write_tree(self) -> str:
        if not self._private.prefix:
            return self._git.read_line("write-tree").decode("ascii")
        command = ("write-tree", f"--prefix={os.fsdecode(self._private.prefix)}")
        done = self._git.run(*command, allowed=(0, 128))
        if done.returncode == 0:
            return done.stdout.decode("ascii").strip()
        if self._git.read_output("ls-files", "-z"):
            raise self._git.build_error(command, done)
        return self._private.empty_tree  # git knows no tree for a folder without files


def _read_paths(git: Git, *arguments: str) -> list[bytes]:
    return git.read_output(*arguments).split(b"\0")[:-1]
