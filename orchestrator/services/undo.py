"""Restore the files of a project as they were before a run, except what somebody changed since."""

import contextlib
import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from orchestrator.config import Config
from orchestrator.config.masked_config import read_section
from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.events import Listener
from orchestrator.models import Diff, RunOutcome, RunRecord, Snapshot
from orchestrator.platform import files
from orchestrator.platform.project import resolve_project
from orchestrator.services.recovery import lock_project, revert_swap
from orchestrator.services.rulebooks import resolve_rule_files
from orchestrator.services.undoable_runs import (
    find_undoable_run,
    list_later_runs,
)
from orchestrator.session_hooks.writeahead.locations import LEARNINGS
from orchestrator.storage.runs import Store
from orchestrator.workspace import GitWorkspace, open_workspace
from orchestrator.workspace.empty_folders import remove_added_folders, restore_empty_folders
from orchestrator.workspace.git import decode_path
from orchestrator.workspace.modes import iter_parents
from orchestrator.workspace.restore_plan import LeftReason
from orchestrator.workspace.run_trees import RecordedFiles, RunTrees, Span

_RULE_WRITTEN: Final = "rule_written"
"""The kind of the event `RuleWritten` in the record."""
_SHORT_PATCH: Final = 4_000
"""Characters of a diff up to which it is shown as a whole."""


class Retained(StrEnum):
    """Why an undo leaves a file alone."""

    EDITED = "somebody else changed it"
    RULES = "it holds the learned rules"
    HIDDEN = "git ignored it before the run, or it could not be read"
    BLOCKED = "something else is in its place"


_REASONS: Final = {
    LeftReason.EDITED: Retained.EDITED,
    LeftReason.HIDDEN: Retained.HIDDEN,
    LeftReason.BLOCKED: Retained.BLOCKED,
}


@dataclass(frozen=True)
class UndoPlan:
    """What an undo would do.

    Args:
        run: the run.
        attempt: the attempt whose start is restored; 1 for the whole run.
        diff: what would change in the files.
        diff_command: the command that prints all of it.
        left: the files that the run changed and the undo leaves alone, with the reason.
        run_command: the command that prints what the run changed; PATH in it is to be replaced.
        is_end_known: whether the files at the end of each process of the run are on record. If one
            was killed, they are not, and all changes up to the resumption or the first undo count
            as the run's.
        later: the runs that worked in the folder since.
        unseen: paths that are in no snapshot.
        patch: the whole diff if it is short; secrets in it are not masked.
    """

    run: RunRecord
    attempt: int
    diff: Diff
    diff_command: str
    left: Mapping[str, Retained]
    run_command: str
    is_end_known: bool
    later: Sequence[str]
    unseen: Sequence[str]
    patch: str


@dataclass(frozen=True)
class UndoResult:
    """What an undo has done.

    Args:
        saved: the folder with the replaced and removed files; None if there were none.
        left: paths that were left alone although the plan had them: they have just been changed.
    """

    saved: Path | None
    left: Sequence[str]


@dataclass(frozen=True)
class Undo:
    """An undo of one run, while its folder is locked.

    Args:
        run: the run.
        attempt: the attempt whose start is restored.
        workspace: the project's files.
        trees: the record of the files.
        to: the files to restore.
        end: the files at the end of the run.
        start: the files at the start of the run, if those are what is restored.
        leave: paths that are left alone, with the reason.
        is_end_known: see `UndoPlan`.
        later: see `UndoPlan`.
    """

    run: RunRecord
    attempt: int
    workspace: GitWorkspace
    trees: RunTrees
    to: Snapshot
    end: RecordedFiles
    start: RecordedFiles | None
    leave: Mapping[str, Retained]
    is_end_known: bool
    later: Sequence[str]

    def plan(self) -> UndoPlan:
        """Return what the undo would do; the project is not touched.

        Raises:
            InfrastructureError: git failed, or there is no space.
        """
        planned = self.workspace.plan_restore(self.to, self.end.snapshot, self.leave)
        patch = self.run.folder / "undo.patch"
        try:
            diff = self.workspace.diff_snapshots(planned.now, planned.then, patch)
            text = _read_short_patch(diff, patch)
        finally:
            patch.unlink(missing_ok=True)
        left = {
            decode_path(os.fsencode(path)): self.leave.get(path, _REASONS[reason])
            for path, reason in planned.left.items()
        }
        return UndoPlan(
            self.run,
            self.attempt,
            diff,
            self.workspace.diff_command(planned.now, planned.then),
            left,
            f"{self.workspace.diff_command(self.to, self.end.snapshot)} -- PATH",
            self.is_end_known,
            self.later,
            self.workspace.unseen_paths,
            text,
        )

    def carry_out(self) -> UndoResult:
        """Restore the files. If the process is killed, the next undo of the run does the rest.

        Raises:
            InfrastructureError: git failed, or a file cannot be written.
        """
        workspace, project = self.workspace, self.run.task.project
        planned = workspace.plan_restore(self.to, self.end.snapshot, self.leave)
        found = RecordedFiles(planned.now, workspace.list_empty_folders())
        changed = workspace.list_changed_paths(planned.now, planned.then)
        present = set(map(os.fsdecode, workspace.list_files(planned.now)))
        saved = None
        if replaced := sorted(changed & present):
            # Before anything is touched. Another undo of the same files may replace others of them.
            name = f"{planned.now.tree[:12]}-{planned.then.tree[:12]}"
            saved = self.run.folder / "undone" / name
            workspace.copy_files(planned.now, replaced, saved)
        left = workspace.restore_files(self.to, self.end.snapshot, self.leave)
        if self.start:
            holding = {
                folder for path in workspace.list_files(self.to) for folder in iter_parents(path)
            }
            before, after = self.start.folders, self.end.folders
            remove_added_folders(project, before, after, frozenset(holding))
            restore_empty_folders(project, before, after)
        self.trees.record_undo(found)
        known = {decode_path(os.fsencode(path)) for path in planned.left}
        return UndoResult(saved, [path for path in left if path not in known])


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
    spans = trees.read_spans()
    is_end_known = all(span.end for span in spans)
    if spans and not spans[-1].end:
        trees.record_end()  # so that what is edited from now on does not count as the run's
        spans = trees.read_spans()
    spans = spans or _guess_spans(record)
    start, end = spans[0].start, spans[-1].end
    assert end  # noqa: S101 -- recorded above
    to = start.snapshot if attempt == 1 else _find_attempt_start(record, attempt)
    leave = dict.fromkeys(_list_changes_between(spans, to, workspace), Retained.EDITED)
    leave |= dict.fromkeys(
        _list_rule_files(record, to, end.snapshot, workspace, store), Retained.RULES
    )
    return Undo(
        record,
        attempt,
        workspace,
        trees,
        to,
        end,
        start if attempt == 1 else None,
        leave,
        is_end_known,
        list_later_runs(record, store),
    )


def _guess_spans(record: RunRecord) -> tuple[Span, ...]:
    """Return the span of a run of an earlier version, from its attempts.

    Raises:
        UsageError: it has none, so that nothing is known about the files.
    """
    attempts = record.result.attempts if record.result else ()
    if not attempts:
        raise UsageError(
            f"run {record.id} has no record of the files, and made no attempt", "nothing to undo"
        )
    start, end = RecordedFiles(attempts[0].before, {}), RecordedFiles(attempts[-1].after, {})
    return (Span(start, end),)


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
    ended = f"attempts 1 to {len(attempts)} are on record" if attempts else "no attempt has ended"
    raise UsageError(
        f"run {record.id} has no attempt {number} that can be undone: {ended}",
        "without --attempt, the whole run is undone",
    )


def _list_changes_between(
    spans: Sequence[Span], to: Snapshot, workspace: GitWorkspace
) -> frozenset[str]:
    """Return the files that somebody changed while no process executed or undid the run.

    One that then was as it will be restored does not count, as after an earlier undo.
    """
    found = frozenset[str]()
    for earlier, later in itertools.pairwise(spans):
        if earlier.end and earlier.end.snapshot != later.start.snapshot:
            changed = workspace.list_changed_paths(earlier.end.snapshot, later.start.snapshot)
            found |= changed & workspace.list_changed_paths(to, later.start.snapshot)
    return found


def _list_rule_files(
    record: RunRecord, to: Snapshot, end: Snapshot, workspace: GitWorkspace, store: Store
) -> frozenset[str]:
    """Return the files with the rules that the run learned, and with the evidence for them."""
    changed = workspace.list_changed_paths(to, end)
    found = {path for path in changed if path.startswith(f"{LEARNINGS}/")}
    if any(event.kind == _RULE_WRITTEN for event in store.events.list_events(record.id)):
        rules = read_section(store.read_config(record.id), "rules")
        config = Config.model_validate({"rules": rules})
        rule_files = resolve_rule_files(config, record.task.project, store.directory)
        found |= changed.intersection(rule_files.list_project_names())
    return frozenset(found)
