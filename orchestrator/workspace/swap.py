"""Put the tree before an attempt in place for one run of the suite, then restore the attempt's.

This is done in the project's folder, because the environment, ignored files, editable installs and
absolute paths must stay the same. A note is on disk from before the first file is changed until the
last one is restored, so that the next process can finish the swap of one that was killed.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.errors import InfrastructureError
from orchestrator.models import Snapshot
from orchestrator.platform import files
from orchestrator.platform.folders import hash_path
from orchestrator.platform.process_tree import end_marked_processes
from orchestrator.ports import Workspace
from orchestrator.workspace.snapshots import open_workspace


@dataclass(frozen=True)
class Swap:
    """Two trees that are exchanged in the project for one run of the suite.

    Args:
        before: the tree before the attempt, which is put in place.
        after: the tree after the attempt, which is restored.
        leave: paths that are never swapped.
        rewritten: paths that the suite writes in each run.
    """

    before: Snapshot
    after: Snapshot
    leave: Collection[str] = ()
    rewritten: Collection[str] = ()


@dataclass(frozen=True)
class SwapNote:
    """The note about a swap in progress, at most one for each project.

    Args:
        path: the note's file.
    """

    path: Path

    @classmethod
    def for_project(cls, project: Path, state: Path) -> "SwapNote":
        """Return the note of a project, in the state directory."""
        return cls(state / "swaps" / f"{hash_path(project.resolve())}.json")

    def write(self, folder: Path, swap: Swap) -> None:
        """Write which tree has to be restored, and through which private git directory.

        Args:
            folder: the folder of the run.
            swap: the swap that is about to start.

        Raises:
            InfrastructureError: the note cannot be written.
        """
        value = {
            "folder": str(folder),
            "before": swap.before.tree,
            "after": swap.after.tree,
            "leave": sorted(swap.leave),
            "rewritten": sorted(swap.rewritten),
        }
        try:
            files.write_file(self.path, json.dumps(value).encode("ascii"), durable=True)
        except OSError as error:
            raise InfrastructureError(
                f"{self.path} cannot be written: {error.strerror}",
                "check that the state directory is writable and has space",
            ) from error

    def read(self) -> tuple[Path, Swap]:
        """Return the content of the note: the run's folder, and the swap.

        Raises:
            FileNotFoundError: there is no note.
            OSError, ValueError, KeyError, TypeError: the note cannot be read.
        """
        value = json.loads(self.path.read_text(encoding="utf-8"))
        swap = Swap(
            Snapshot(value["before"]),
            Snapshot(value["after"]),
            tuple(value["leave"]),
            tuple(value.get("rewritten", ())),
        )
        return Path(value["folder"]), swap

    def remove(self) -> None:
        """Remove the note, once all files are restored."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class FinishedSwap:
    """The result of finishing a swap that a killed process had left.

    Args:
        left: paths that were left alone, because somebody changed them.
        replaced: paths that were changed and restored anyway, because the suite writes them.
        restore_command: prints one of these as it was changed; PATH in it is to be replaced.
        run: the id of the killed run.
        ended: the number of its processes that were still running, and were ended.
    """

    left: Sequence[str] = ()
    replaced: Sequence[str] = ()
    restore_command: str = ""
    run: str = ""
    ended: int = 0


@dataclass(frozen=True)
class TreeSwap:
    """Puts the tree before an attempt in place, and restores the attempt's files.

    Args:
        workspace: the project's files.
        note: says that the swap is in progress.
        folder: the run's folder, with which another process opens the same workspace. Its name is
            the mark of the run's processes.
    """

    workspace: Workspace
    note: SwapNote
    folder: Path

    def list_changed_paths(self, one: Snapshot, other: Snapshot) -> frozenset[str]:
        """Return the paths that differ between two trees.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        patch = self.folder / "swap.patch"
        try:
            return frozenset(
                each.path for each in self.workspace.diff_snapshots(one, other, patch).changes
            )
        finally:
            patch.unlink(missing_ok=True)

    def apply(self, swap: Swap) -> Sequence[str]:
        """Replace the files of `swap.after` by those of `swap.before`.

        Returns:
            The paths that somebody changed since `swap.after` was taken; they were left alone.

        Raises:
            InfrastructureError: a file cannot be written.
        """
        self.note.write(self.folder, swap)
        return self.workspace.restore_files(swap.before, swap.after, swap.leave)

    def revert(self, swap: Swap, rewritten: Collection[str] = ()) -> Sequence[str]:
        """Restore the files of `swap.after`.

        Args:
            swap: the swap that was applied.
            rewritten: paths that the suite wrote during the swap; they are restored anyway.

        Returns:
            The paths that somebody changed during the swap; they were left alone.

        Raises:
            InfrastructureError: a file cannot be written; the note is not removed.
        """
        left = self.workspace.restore_files(swap.after, swap.before, swap.leave)
        if own := {*left} & {*rewritten}:
            now = self.workspace.take_snapshot()
            others = self.list_changed_paths(now, swap.after) - own
            again = self.workspace.restore_files(swap.after, now, {*swap.leave, *others})
            left = (*(path for path in left if path not in own), *again)
        self.note.remove()
        return left


def finish_swap(project: Path, state: Path) -> FinishedSwap | None:
    """Restore the files of an attempt if a killed process left the tree before it in place.

    A file that the suite writes in each run may have been changed by the suite or by a person, and
    nothing shows by whom. The attempt's version is restored, and the other one is stored.

    Returns:
        What was ended, left alone and replaced; None if no swap was in progress.

    Raises:
        InfrastructureError: a file cannot be written, or the note cannot be read.
    """
    note = SwapNote.for_project(project, state)
    try:
        folder, swap = note.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InfrastructureError(
            f"{note.path} cannot be read: {error}",
            f"check with `git status` whether the last attempt's edits are in {project}, "
            "then remove that file",
        ) from error
    # The suite of the killed run may still be running on the tree before.
    ended = end_marked_processes(folder.name)
    try:
        trees = TreeSwap(open_workspace(project, folder), note, folder)
        return replace(_finish_swap(trees, swap), run=folder.name, ended=ended)
    except InfrastructureError as error:
        raise InfrastructureError(
            f"the files of a killed attempt cannot be restored in {project}: {error.message}",
            f"check with `git status` which edits are there, then remove {note.path}",
        ) from error


def _finish_swap(trees: TreeSwap, swap: Swap) -> FinishedSwap:
    now = trees.workspace.take_snapshot()
    replaced = {*swap.rewritten} - {*swap.leave}
    if replaced:
        pairs = (swap.before, swap.after), (now, swap.before), (now, swap.after)
        replaced = replaced.intersection(*(trees.list_changed_paths(*pair) for pair in pairs))
    left = trees.revert(swap, replaced)
    return FinishedSwap(left, sorted(replaced - {*left}), trees.workspace.restore_command(now))
