"""The tree before an attempt, made in place for one run of the suite, and the attempt's restored.

In place, because environment, ignored files, editable installs and absolute paths must stay what
they are. A note is on disk before the first file changes and until the last is back, so that a
process that is killed between leaves word for the next one.
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
    """Two trees, of which the one before stands in the project for a while.

    Args:
        before: the tree that is made.
        after: the tree that has to come back.
        leave: paths that are never swapped.
        rewritten: paths that the suite writes in each run.
    """

    before: Snapshot
    after: Snapshot
    leave: Collection[str] = ()
    rewritten: Collection[str] = ()


@dataclass(frozen=True)
class SwapNote:
    """Where notes of swaps are kept, one for each project at most.

    Args:
        path: the note's file.
    """

    path: Path

    @classmethod
    def for_project(cls, project: Path, state: Path) -> "SwapNote":
        """Return the place of a project's note in the state directory."""
        return cls(state / "swaps" / f"{hash_path(project.resolve())}.json")

    def write(self, folder: Path, swap: Swap) -> None:
        """Write down which tree has to be restored, and through which private repository.

        Args:
            folder: the run's.
            swap: what is about to be made.

        Raises:
            InfrastructureError: it cannot be written.
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
        """Return what is written down: the run's folder, and the swap.

        Raises:
            FileNotFoundError: nothing is.
            OSError, ValueError, KeyError, TypeError: it cannot be read.
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
        """Forget the swap: all files are back."""
        self.path.unlink(missing_ok=True)


@dataclass(frozen=True)
class FinishedSwap:
    """What became of a swap that a killed process had left.

    Args:
        left: paths that were left alone, because somebody changed them.
        replaced: paths that were changed and came back all the same: the suite writes them.
        restore_command: prints one of these as it was; PATH in it stands for the file.
        run: the id of the killed run.
        ended: how many processes it had left at work.
    """

    left: Sequence[str] = ()
    replaced: Sequence[str] = ()
    restore_command: str = ""
    run: str = ""
    ended: int = 0


@dataclass(frozen=True)
class TreeSwap:
    """Makes the tree before an attempt in place, and restores the attempt's files.

    Args:
        workspace: the project's files.
        note: where it is written down that the tree before stands in the project.
        folder: the run's folder, by which another process opens the same workspace. Its name is
            the mark of what the run started.
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
        """Put the files of the tree before in place of those of the tree after.

        Returns:
            The paths that somebody changed after the tree after was taken; they were left alone.

        Raises:
            InfrastructureError: a file cannot be written.
        """
        self.note.write(self.folder, swap)
        return self.workspace.restore_files(swap.before, swap.after, swap.leave)

    def revert(self, swap: Swap, rewritten: Collection[str] = ()) -> Sequence[str]:
        """Restore the files of the tree after.

        Args:
            swap: the one that was applied.
            rewritten: paths that the suite has written while the tree before stood there; they come
                back all the same.

        Returns:
            The paths that somebody changed while the tree before stood there; they were left alone.

        Raises:
            InfrastructureError: a file cannot be written; the note stays.
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
    """Restore the files of an attempt where a killed process left the tree before it.

    Nobody can tell any more whether the suite changed a file that it writes in each run, or a
    person: the attempt's comes back, and the other is stored.

    Returns:
        What was ended, left alone or replaced; None if nothing was swapped.

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
            f"look with `git status` whether the last attempt's edits stand in {project}, "
            "then remove that file",
        ) from error
    # The suite of the killed run may still be at work on the tree before.
    ended = end_marked_processes(folder.name)
    try:
        trees = TreeSwap(open_workspace(project, folder), note, folder)
        return replace(_finish_swap(trees, swap), run=folder.name, ended=ended)
    except InfrastructureError as error:
        raise InfrastructureError(
            f"the files of a killed attempt cannot be restored in {project}: {error.message}",
            f"look with `git status` which edits stand there, then remove {note.path}",
        ) from error


def _finish_swap(trees: TreeSwap, swap: Swap) -> FinishedSwap:
    now = trees.workspace.take_snapshot()
    replaced = {*swap.rewritten} - {*swap.leave}
    if replaced:
        pairs = (swap.before, swap.after), (now, swap.before), (now, swap.after)
        replaced = replaced.intersection(*(trees.list_changed_paths(*pair) for pair in pairs))
    left = trees.revert(swap, replaced)
    return FinishedSwap(left, sorted(replaced - {*left}), trees.workspace.restore_command(now))
