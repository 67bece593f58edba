"""Restore the files of a project as they were before a run, except what somebody changed since."""

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from orchestrator.config import Config
from orchestrator.config.masked_config import read_section
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.events import Listener
from orchestrator.models import Diff, RunOutcome, RunRecord, Snapshot
from orchestrator.platform import files
from orchestrator.platform.project import resolve_project
from orchestrator.services.project_lock import lock_project
from orchestrator.services.recovery import revert_swap
from orchestrator.services.rulebooks import resolve_rule_files
from orchestrator.services.saved_files import Obstacles, find_obstacles
from orchestrator.services.undoable_runs import find_undoable_run, list_later_runs
from orchestrator.session_hooks.writeahead.locations import LEARNINGS
from orchestrator.storage.runs import Store
from orchestrator.workspace import GitWorkspace, open_workspace
from orchestrator.workspace.empty_folders import (
    FolderChanges,
    FolderPlan,
    Folders,
    combine_changes,
    create_folders,
    plan_folders,
    remove_folders,
)
from orchestrator.workspace.git import decode_path
from orchestrator.workspace.modes import iter_parents
from orchestrator.workspace.own_files import find_own_files
from orchestrator.workspace.restore_plan import LeftReason, PlannedRestore
from orchestrator.workspace.run_trees import RecordedFiles, RunTrees, Span

_RULE_WRITTEN: Final = "rule_written"
"""The kind of the event `RuleWritten` in the record."""
_SHORT_PATCH: Final = 4_000
"""Characters of a diff up to which it is shown as a whole."""


@dataclass(frozen=True)
class UndoPlan:
    """What an undo would do.

    Args:
        run: the run.
        attempt: the attempt whose start is restored; 1 for the whole run.
        files: the present files, and those that the undo would leave.
        base: the files that it may replace, see `OwnFiles`.
        leave: paths that it must not touch, with the reason.
        folders: what it would do with empty folders.
        diff: what would change in the files.
        diff_command: the command that prints all of it.
        left: the files that the run changed and the undo leaves alone, with the reason.
        run_command: the command that prints what the run changed; PATH in it is to be replaced.
        undone_to: the earlier attempt to whose start files are undone already; otherwise 0.
        is_end_known: whether the files at the end of each process of the run are on record. If one
            was killed, they are not, and all changes up to the resumption or the first undo count
            as the run's.
        later: the runs that worked in the folder since.
        unseen: paths that a snapshot could not see, now or at what is restored.
        patch: the whole diff if it is short; secrets in it are not masked.
    """

    run: RunRecord
    attempt: int
    files: PlannedRestore
    base: Snapshot
    leave: Mapping[str, LeftReason]
    folders: FolderPlan
    diff: Diff
    diff_command: str
    left: Mapping[str, LeftReason]
    run_command: str
    undone_to: int
    is_end_known: bool
    later: Sequence[str]
    unseen: Sequence[str]
    patch: str

    @property
    def has_work(self) -> bool:
        """Whether there is something to undo."""
        return bool(self.diff.changes or self.folders.created or self.folders.removed)


@dataclass(frozen=True)
class UndoResult:
    """What an undo has done.

    Args:
        saved: the folder with the replaced and removed files; None if there were none.
        obstacles: what is where they were.
        left: changes of the plan that were not made: the files were changed after it was shown.
    """

    saved: Path | None = None
    obstacles: Obstacles = field(default_factory=Obstacles)
    left: Sequence[str] = ()


@dataclass(frozen=True)
class Undo:
    """An undo of one run, while its folder is locked.

    Args:
        run: the run.
        attempt: the attempt whose start is restored.
        workspace: the project's files.
        trees: the record of the files.
        spans: what is on record, the run's own first.
        to: the files to restore.
        store: the runs.
    """

    run: RunRecord
    attempt: int
    workspace: GitWorkspace
    trees: RunTrees
    spans: Sequence[Span]
    to: Snapshot
    store: Store

    def plan(self) -> UndoPlan:
        """Return what the undo would do; the project is not touched.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        workspace = self.workspace
        now = workspace.take_snapshot()
        own = find_own_files(workspace, self.spans, self.to, self.attempt, now)
        rules = self._list_rule_files()
        leave = dict.fromkeys(own.others | own.undone, LeftReason.EDITED)
        leave |= dict.fromkeys(rules, LeftReason.RULES)
        planned = workspace.plan_restore(self.to, own.base, leave)
        found = {path: reason for path, reason in planned.left.items() if path in own.run}
        found |= {path: leave[path] for path in own.edited | (own.run & rules)}
        patch = self.run.folder / "undo.patch"
        try:
            diff = workspace.diff_snapshots(planned.now, planned.then, patch)
            text = _read_short_patch(diff, patch)
        finally:
            patch.unlink(missing_ok=True)
        earlier = [span.attempt for span in self.spans if 0 < span.attempt < self.attempt]
        return UndoPlan(
            self.run,
            self.attempt,
            planned,
            own.base,
            leave,
            self._plan_folders(planned),
            diff,
            workspace.diff_command(planned.now, planned.then),
            {decode_path(os.fsencode(path)): reason for path, reason in sorted(found.items())},
            f"{workspace.diff_command(self.to, self._run_spans[-1].end.snapshot)} -- PATH",
            min(earlier) if own.undone else 0,
            all(span.is_end_known for span in self._run_spans),
            list_later_runs(self.run, self.store),
            sorted({*workspace.list_unseen_paths(self.to), *workspace.unseen_paths}),
            text,
        )

    def carry_out(self, plan: UndoPlan) -> UndoResult:
        """Restore files as planned. If the process is killed, the next undo does the rest.

        Raises:
            InfrastructureError: git failed, or a file cannot be written.
        """
        workspace = self.workspace
        # Before anything is touched: the finished steps of the run no longer fit the files.
        self.store.record_undo(self.run.id)
        # Again: some files may have been changed since the plan was shown.
        planned = workspace.plan_restore(self.to, plan.base, plan.leave)
        saved = self._save_files(planned)
        folders = workspace.list_empty_folders()
        self.trees.record_undo(
            self.attempt,
            RecordedFiles(planned.now, folders),
            RecordedFiles(planned.then, folders),
        )
        left = workspace.restore_files(self.to, plan.base, plan.leave)
        remove_folders(self.run.task.project, plan.folders.removed)
        create_folders(self.run.task.project, self._folder_changes.removed)
        shown = {change.path for change in plan.diff.changes}
        obstacles = self._find_obstacles(planned, plan.folders)
        return UndoResult(saved, obstacles, [path for path in left if path in shown])

    def _save_files(self, planned: PlannedRestore) -> Path | None:
        """Save what will be replaced or removed; return the folder, or None if it is nothing."""
        changed = self.workspace.list_changed_contents(planned.then, planned.now)
        if not (replaced := sorted(path for path, content in changed.items() if content.exists)):
            return None
        # Another undo of the same files may replace others of them.
        name = f"{planned.now.tree[:12]}-{planned.then.tree[:12]}"
        saved = self.run.folder / "undone" / name
        self.workspace.copy_files(planned.now, replaced, saved)
        return saved

    def _find_obstacles(self, planned: PlannedRestore, folders: FolderPlan) -> Obstacles:
        changed = self.workspace.list_changed_contents(planned.then, planned.now)
        saved = [os.fsencode(path) for path, content in changed.items() if content.exists]
        created = [os.fsencode(path) for path, content in changed.items() if not content.exists]
        return find_obstacles(saved, created, folders.created)

    @property
    def _run_spans(self) -> Sequence[Span]:
        """What is on record of the processes that executed the run."""
        return [span for span in self.spans if not span.attempt]

    @cached_property
    def _folder_changes(self) -> FolderChanges:
        """What the run did to folders; empty ones at the start of an attempt are not on record."""
        spans = [(span.start, span.end) for span in self._run_spans]
        if self.attempt > 1:
            end = self._run_spans[-1].end.snapshot
            spans = [(RecordedFiles(self.to, {}), RecordedFiles(end, {}))]
        return combine_changes(
            (self._list_folders(start), self._list_folders(end)) for start, end in spans
        )

    def _list_folders(self, recorded: RecordedFiles) -> Folders:
        return Folders(recorded.folders, self._list_used_folders(recorded.snapshot))

    def _list_used_folders(self, snapshot: Snapshot) -> frozenset[bytes]:
        paths = self.workspace.list_files(snapshot)
        return frozenset(folder for path in paths for folder in iter_parents(path))

    def _plan_folders(self, planned: PlannedRestore) -> FolderPlan:
        present = self.workspace.list_empty_folders()
        used = self._list_used_folders(planned.then)
        changed = self.workspace.list_changed_contents(planned.now, planned.then)
        gone = {os.fsencode(path) for path, content in changed.items() if not content.exists}
        return plan_folders(self.run.task.project, self._folder_changes, present, used, gone)

    def _list_rule_files(self) -> frozenset[str]:
        """Return the files with the rules that the run learned, and with the evidence for them."""
        record, store = self.run, self.store
        changed = self.workspace.list_changed_paths(self.to, self._run_spans[-1].end.snapshot)
        found = {path for path in changed if path.startswith(f"{LEARNINGS}/")}
        if any(event.kind == _RULE_WRITTEN for event in store.events.list_events(record.id)):
            rules = read_section(store.read_config(record.id), "rules")
            config = Config.model_validate({"rules": rules})
            rule_files = resolve_rule_files(config, record.task.project, store.directory)
            found |= changed.intersection(rule_files.list_project_names())
        return frozenset(found)


@contextlib.contextmanager
def open_undo(
    run: str, attempt: int | None, project: Path, store: Store, listener: Listener
) -> Iterator[Undo]:
    """Lock the folder that a run worked in, and yield the undo of it.

    Args:
        run: the run's id, a prefix of it, or `last` for the last run in the project.
        attempt: the number of the attempt whose start is restored; that of the run if None.
        project: the project's directory, for `last`.
        store: the runs.
        listener: receives notices.

    Raises:
        UsageError: there is no such run or attempt, or nothing of it can be undone here.
        InfrastructureError: a run works in the folder, or git failed.
    """
    record = find_undoable_run(store, run, project)
    folder = resolve_project(record.task.project)
    with lock_project(folder, store):
        record = store.load_run(record.id)
        if record.outcome is RunOutcome.RUNNING:  # on another machine: the lock is of this one
            raise InfrastructureError(
                f"run {record.id} is still running on {record.host}", "end it there first"
            )
        revert_swap(folder, store, listener)
        yield _prepare_undo(record, attempt or 1, open_workspace(folder, record.folder), store)


def _prepare_undo(record: RunRecord, attempt: int, workspace: GitWorkspace, store: Store) -> Undo:
    trees = RunTrees(record.folder, workspace)
    # So that what is edited from now on does not count as the run's, if its process was killed.
    trees.record_end(is_known=False)
    spans = trees.read_spans()
    if all(span.attempt for span in spans):
        spans = (_guess_span(record), *spans)
    to = spans[0].start.snapshot if attempt == 1 else _find_attempt_start(record, attempt)
    return Undo(record, attempt, workspace, trees, spans, to, store)


def _guess_span(record: RunRecord) -> Span:
    """Return the span of a run of an earlier version, from its attempts.

    Raises:
        UsageError: it has none, so that nothing is known about the files.
    """
    attempts = record.result.attempts if record.result else ()
    if not attempts:
        raise UsageError(
            f"run {record.id} has no record of the files, and made no attempt", "nothing to undo"
        )
    return Span(RecordedFiles(attempts[0].before, {}), RecordedFiles(attempts[-1].after, {}))


def _read_short_patch(diff: Diff, patch: Path) -> str:
    """Return a diff that a person can read at a glance; empty for another."""
    if any(each.added is None for each in diff.changes):  # binary
        return ""
    text = files.read_text(patch, _SHORT_PATCH + 1)
    return text if len(text) <= _SHORT_PATCH else ""


def _find_attempt_start(record: RunRecord, number: int) -> Snapshot:
    """Return the files as they were before an attempt.

    Raises:
        UsageError: the run has no such attempt on record.
    """
    attempts = record.result.attempts if record.result else ()
    for each in attempts:
        if each.number == number:
            return each.before
    ended = _describe_attempts(len(attempts))
    raise UsageError(
        f"run {record.id} has no attempt {number} that can be undone: {ended}",
        "without --attempt, the whole run is undone",
    )


def _describe_attempts(count: int) -> str:
    if count > 1:
        return f"attempts 1 to {count} are on record"
    return "attempt 1 is on record" if count else "no attempt has ended"
