"""Prepares the experiment that judges an attempt: which trees, which changes, which relation."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator import events
from orchestrator.guard import Guard
from orchestrator.loop.values import Baseline, ModuleStamps
from orchestrator.models import Attempt, FileChange, Snapshot, SuiteReport, Task
from orchestrator.models.footprint import Footprint
from orchestrator.platform import files
from orchestrator.ports import Rulebook, Workspace
from orchestrator.verdict.experiment import Experiment, Trees
from orchestrator.verdict.relation import Relation
from orchestrator.workspace.swap import SwapNote, TreeSwap


@dataclass(frozen=True)
class ExperimentBuilder:
    """Makes the experiment of each attempt.

    Args:
        task: what is to be done.
        workspace: takes and compares snapshots.
        rulebook: names the files with rules, which are never swapped.
        guard: what the verdict rests on.
        run_suite: runs all cases, or those with the given ids.
        swap_note: records a swap, so that a killed one is reverted.
        folder: takes temporary files.
        emit: receives the events.
        old_failures_must_pass: whether failures of the baseline count against an attempt.
    """

    task: Task
    workspace: Workspace
    rulebook: Rulebook
    guard: Guard
    run_suite: Callable[[Sequence[str] | None], SuiteReport]
    swap_note: SwapNote
    folder: Path
    emit: events.Listener
    old_failures_must_pass: bool = False

    def build_experiment(
        self, attempt: Attempt, baseline: Baseline, origin: Snapshot, stamps: ModuleStamps
    ) -> Experiment:
        """Return the experiment that judges an attempt.

        Args:
            attempt: the attempt, without a verdict.
            baseline: the project before any agent worked.
            origin: its files at that time.
            stamps: the project's modules when the attempt started; empty if not known.
        """
        leave = {*self.rulebook.list_files(), *self.guard.suite_output}
        after, changes = self._diff_since_origin(origin, attempt)
        swapped = [change for change in changes if change.path not in leave]
        relation = self._build_relation(swapped, baseline.footprint, origin, after)
        swap = TreeSwap(self.workspace, self.swap_note, self.folder)
        return Experiment(
            self.task,
            attempt,
            baseline.report,
            Trees(swap, origin, after, swapped, leave),
            self.run_suite,
            self.guard,
            relation,
            self.emit,
            self._list_unseen_changes(relation, baseline.footprint, stamps),
            baseline.footprint.interpreter if baseline.footprint else "",
        )

    def _build_relation(
        self,
        changes: Sequence[FileChange],
        footprint: Footprint | None,
        origin: Snapshot,
        after: Snapshot,
    ) -> Relation:
        def read_versions(path: str) -> tuple[str, str]:
            old, new = (self.workspace.read_file(tree, path) or b"" for tree in (origin, after))
            return old.decode("utf-8", "replace"), new.decode("utf-8", "replace")

        return Relation(
            self.task.text,
            self.task.project,
            changes,
            footprint.reach if footprint else {},
            self.old_failures_must_pass,
            read_versions,
        )

    def _diff_since_origin(
        self, origin: Snapshot, attempt: Attempt
    ) -> tuple[Snapshot, Sequence[FileChange]]:
        """Return the files with the tests reverted, and how they differ from the origin."""
        if origin == attempt.before and not attempt.findings:  # nothing was reverted
            return attempt.after, attempt.diff.changes
        after = self.workspace.take_snapshot()
        patch = self.folder / f"attempt-{attempt.number}.compared.patch"
        changes = self.workspace.diff_snapshots(origin, after, patch).changes
        patch.unlink(missing_ok=True)
        return after, changes

    def _list_unseen_changes(
        self, relation: Relation, footprint: Footprint | None, stamps: ModuleStamps
    ) -> list[str]:
        """Return the modules that changed since the attempt started and are in no snapshot."""
        project = self.task.project
        now = read_module_stamps(project, footprint)
        seen = {str(project / path) for path in relation.changed}
        guarded = {str(project / each.path) for each in self.guard.list_guarded_files()}
        changed = (path for path, stamp in stamps.items() if now.get(path) != stamp)
        return [path for path in changed if path not in seen | guarded]


def read_module_stamps(project: Path, footprint: Footprint | None) -> dict[str, tuple[int, int]]:
    """Return the stamp of each module of the project's repository that the suite imported.

    Some are in no snapshot, as those in repositories inside the project. Modules outside of the
    repository belong to the environment.
    """
    found = {}
    top = files.find_git_top(project.resolve())
    modules = footprint.modules if footprint else ()
    for path in (each.file for each in modules if Path(each.file).is_relative_to(top)):
        with suppress(OSError):
            status = Path(path).lstat()
            found[path] = (status.st_size, status.st_mtime_ns)
    return found
