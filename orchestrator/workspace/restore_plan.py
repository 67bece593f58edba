"""Decide which files a restore replaces, and which it leaves alone, before anything is touched."""

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from orchestrator.models import Snapshot
from orchestrator.workspace.modes import iter_parents
from orchestrator.workspace.private import PrivateGit
from orchestrator.workspace.restore_obstacles import DiskState, inspect_disk
from orchestrator.workspace.tree_files import check_out_files
from orchestrator.workspace.trees import MISSING, Change, Content, list_changes, list_paths

_IGNORE_FILE: Final = b".gitignore"


class LeftReason(StrEnum):
    """Why a restore leaves a file alone."""

    EDITED = "somebody else changed it"
    RULES = "it holds the learned rules"
    HIDDEN = "git ignores it or ignored it before the run, or it could not be read"
    BLOCKED = "something else is in its place"


_LEFT_STATES: Final = {
    DiskState.OTHER: LeftReason.HIDDEN,
    DiskState.BLOCKED: LeftReason.BLOCKED,
}


@dataclass(frozen=True)
class RestorePlan:
    """What a restore does.

    Args:
        removed: the files that it removes.
        written: the files that it writes, as the earlier tree has them in `after`.
        absent: those of `written` that the present tree lacks: it has no copy of what may be there.
        left: the files that it leaves alone, with the reason.
        differing: every path that differs between the two trees that are compared.
    """

    removed: Sequence[bytes]
    written: Sequence[Change]
    absent: Collection[bytes]
    left: Mapping[bytes, LeftReason]
    differing: Sequence[bytes]


@dataclass(frozen=True)
class PlannedRestore:
    """What a restore would do.

    Args:
        now: the present files.
        then: the files that it would leave.
        left: the files that it would leave alone, with the reason.
    """

    now: Snapshot
    then: Snapshot
    left: Mapping[str, LeftReason]


@dataclass(frozen=True)
class RestorePlanner:
    """Plans a restore.

    Args:
        private: the private git directory.
        state: the folder for temporary files.
        hidden: paths that a snapshot could not see, or that must not be touched; folders end in a
            slash.
    """

    private: PrivateGit
    state: Path
    hidden: Collection[bytes]

    def plan_restore(self, to: str, changed_since: str, now: str) -> RestorePlan:
        """Plan to restore the files of `to` that differ from `changed_since`. All are tree ids.

        Raises:
            InfrastructureError: git failed.
            OSError: a temporary file cannot be written.
        """
        git = self.private.project
        wanted = list_changes(git, changed_since, to)
        edited = {change.path: change.after for change in list_changes(git, changed_since, now)}
        still = [change for change in wanted if edited.get(change.path) != change.after]
        left = {
            change.path: LeftReason.EDITED if change.path in edited else LeftReason.HIDDEN
            for change in still
            if change.path in edited or self._is_hidden(change.path)
        }
        goes = [c.path for c in still if c.path not in left and not c.after.exists]
        if any(_file_name(change.path) == _IGNORE_FILE for change in wanted):
            left |= dict.fromkeys(self._find_ignored(to, goes), LeftReason.HIDDEN)
        removed = [path for path in goes if path not in left]
        comes = [c for c in still if c.path not in left and c.after.exists]
        differing = [change.path for change in wanted]
        if not comes:
            return RestorePlan(removed, (), frozenset(), left, differing)
        present = frozenset(list_paths(git, now))
        states = self._inspect_paths(present, frozenset(removed), comes)
        left |= {
            path: _LEFT_STATES[state] for path, state in states.items() if state in _LEFT_STATES
        }
        written = [
            change
            for change in comes
            if change.path not in left and states[change.path] is not DiskState.DONE
        ]
        absent = frozenset(change.path for change in written) - present
        return RestorePlan(removed, written, absent, left, differing)

    def _is_hidden(self, path: bytes) -> bool:
        """Return whether a path was not seen, lies in a folder that was not, or is that folder."""
        return any(
            path == hidden.removesuffix(b"/") or (hidden.endswith(b"/") and path.startswith(hidden))
            for hidden in self.hidden
        )

    def _inspect_paths(
        self, present: frozenset[bytes], removed: frozenset[bytes], comes: Sequence[Change]
    ) -> dict[bytes, DiskState]:
        """Return what a write to each of some files would do to somebody else's files."""
        stays = present - removed
        folders = {folder for path in stays for folder in iter_parents(path)}

        def inspect(change: Change) -> DiskState:
            path = change.path
            if path in folders or any(folder in stays for folder in iter_parents(path)):
                return DiskState.BLOCKED
            if path in present:
                return DiskState.FREE  # the present tree has a copy
            return inspect_disk(self.private.project.folder, path, change.after, removed)

        return {change.path: inspect(change) for change in comes}

    def _find_ignored(self, tree: str, paths: Sequence[bytes]) -> set[bytes]:
        """Return those of some paths that the ignore rules of a tree cover.

        The agent may have changed the rules. A file that was ignored before is not a new file of
        the agent, although the snapshot after the attempt shows it as one.
        """
        git = self.private.project
        rules = [path for path in list_paths(git, tree) if _file_name(path) == _IGNORE_FILE]
        with TemporaryDirectory(dir=self.state) as scratch:
            inside = Path(os.fsdecode(self.private.prefix))
            (Path(scratch) / inside).mkdir(parents=True, exist_ok=True)
            check_out_files(self.private, self.state, tree, rules, Path(scratch) / inside)
            for above in inside.parents:
                source = self.private.top / above / ".gitignore"
                if source.is_file():
                    shutil.copyfile(source, Path(scratch) / above / ".gitignore")
            command = ("check-ignore", "-z", "--stdin", "--no-index")
            found = git.with_folder(Path(scratch) / inside, GIT_WORK_TREE=scratch).run(
                *command, stdin=b"".join(path + b"\0" for path in paths), allowed=(0, 1)
            )
        return set(found.stdout.split(b"\0")[:-1])


def build_planned_tree(private: PrivateGit, state: Path, now: str, plan: RestorePlan) -> str:
    """Return the id of the tree that a restore will leave, without touching the project.

    Args:
        private: the private git directory.
        state: the folder for temporary files.
        now: the id of the present tree.
        plan: what the restore does.

    Raises:
        InfrastructureError: git failed.
        OSError: a temporary file cannot be written.
    """
    contents = dict.fromkeys(plan.removed, MISSING)
    contents |= {change.path: change.after for change in plan.written}
    return build_tree(private, state, now, contents)


def build_tree(
    private: PrivateGit, state: Path, base: str, contents: Mapping[bytes, Content]
) -> str:
    """Return the id of a tree in which some paths have other contents than in `base`.

    Args:
        private: the private git directory.
        state: the folder for temporary files.
        base: the id of a tree.
        contents: the contents, by their paths.

    Raises:
        InfrastructureError: git failed.
        OSError: a temporary file cannot be written.
    """
    lines = [
        b"%s %s\t%s\0" % (content.mode, content.oid if content.exists else b"0" * len(base), path)
        # Removals come first: a folder may take the place of a file.
        for path, content in sorted(contents.items(), key=lambda each: each[1].exists)
    ]
    with TemporaryDirectory(dir=state) as scratch:
        git = private.project.with_folder(private.project.folder, GIT_INDEX_FILE=f"{scratch}/index")
        git.run("read-tree", base)
        git.run("update-index", "--replace", "-z", "--index-info", stdin=b"".join(lines))
        return git.read_line("write-tree").decode("ascii")


def _file_name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]
