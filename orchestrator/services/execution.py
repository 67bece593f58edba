"""Run the loop of one run in this process, and record how it ends."""

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

from orchestrator import events
from orchestrator.config import Config
from orchestrator.errors import LoopError, LostRunError
from orchestrator.loop.run_loop import run_loop
from orchestrator.loop.steps import Steps
from orchestrator.models import RunOutcome, RunPlan, RunRecord, RunResult
from orchestrator.platform.children import Children
from orchestrator.ports import Journal
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.services import wiring
from orchestrator.services.ended_run import EndedRun
from orchestrator.services.isolation import WorkFolder
from orchestrator.services.next_steps import advise_next_step, describe_changes
from orchestrator.services.suite_reports import SuiteReports
from orchestrator.session_hooks.writeahead.locations import LEARNINGS
from orchestrator.sessions.reading.own_sessions import name_run, record_own_session
from orchestrator.storage.run_costs import sum_run_cost
from orchestrator.storage.runs import Store
from orchestrator.workspace import GitWorkspace, open_workspace
from orchestrator.workspace.own_files import list_run_changes
from orchestrator.workspace.pinning import PinnedTree, locate_pin
from orchestrator.workspace.run_trees import RunTrees
from orchestrator.workspace.swap import SwapNote


@dataclass(frozen=True)
class RunExecution:
    """A run with its parts, while this process executes it."""

    record: RunRecord
    config: Config
    plan: RunPlan
    work_folder: WorkFolder
    store: Store
    token: int
    """Identifies this process as the owner of the run."""
    parts: wiring.Parts
    rulebook: MarkdownRulebook
    journal: Journal
    children: Children
    emit: events.RunEvents
    origins: Mapping[str, str]
    """Where the settings come from that are not in the project's own file, by key."""
    reports: SuiteReports = field(default_factory=SuiteReports)

    def run_to_end(self, *, resumed: bool) -> RunResult:
        """Run the loop, and record and report how it ends, also when it is interrupted.

        Raises:
            LostRunError: another process has claimed the run; its record is not changed.
        """
        started, record = time.monotonic(), self.record
        self.emit.listen_first(self.reports.handle_event)
        self.emit(events.RunStarted(record.id, record.task, record.folder, resumed))
        self.emit(events.RunPlanned(self.plan))
        name = name_run(record.id, self.token)
        try:
            # Whatever starts Claude Code in this folder until the end is no session of a person.
            with record_own_session(self.store.database, name, self.work_folder.folder):
                result = self._loop_or_stop()
        except LostRunError:
            self.work_folder.lost = True
            self.children.end_all()
            raise
        except BaseException as error:
            # A signal may have come while a child was being started, before its caller had it.
            self.children.end_all()
            with contextlib.suppress(LostRunError):  # then the other process records its end
                self._report_end(self._end_run(RunOutcome.INTERRUPTED, str(error)), started)
            raise
        self._report_end(result, started)
        return result

    def _loop_or_stop(self) -> RunResult:
        try:
            return self._loop_and_save()
        except LostRunError:
            raise
        except LoopError as error:
            return self._end_run(RunOutcome.STOPPED, self._describe_stop(str(error)))

    def _loop_and_save(self) -> RunResult:
        if trees := self._trees:
            trees.record_start()
        with self.children.collect():
            result = run_loop(self._make_steps(), wiring.build_policy(self.config))
        if result.outcome is RunOutcome.STOPPED:
            result = replace(result, message=self._describe_stop(result.message))
        self.store.require_owner(self.record.id, self.token)
        task = self.record.task
        masked = replace(task, text=self.parts.masker.mask(task.text))
        self.work_folder.commit_work(masked, self.record.id, result)
        self.store.save_result(self.record.id, result, self.token)
        return result

    def _end_run(self, outcome: RunOutcome, message: str) -> RunResult:
        recorded = self.store.end_run(self.record.id, outcome, message, self.token)
        result = self.reports.complete_result(recorded)
        if result != recorded:
            self.store.save_result(self.record.id, result, self.token)
        return result

    def _report_end(self, result: RunResult, started: float) -> None:
        seconds, spent, changed = time.monotonic() - started, None, None
        with contextlib.suppress(LoopError):  # then `undo` takes the run for a killed one
            if trees := self._trees:
                trees.record_end()
                changed = self._list_unfinished_changes(result, trees)
        with contextlib.suppress(LoopError):  # the database fails: the result has most of it
            spent = sum_run_cost(self.store.database, self.record.id)
        run, project = self.record.id, self.record.task.project
        ended = EndedRun(run, project, result, self.config, self.origins, changed)
        self.emit(
            events.RunEnded(
                run,
                result,
                self.record.folder,
                seconds,
                spent,
                describe_changes(ended, self.plan),
                advise_next_step(ended),
            )
        )

    def _list_unfinished_changes(
        self, result: RunResult, trees: RunTrees
    ) -> dict[str, bool] | None:
        """Return the files that differ from before a run that did not end, but for its rules.

        What an attempt changed is in the result only when the attempt has ended.

        Returns:
            Whether each is new; None if the run has ended, or if it is not known.
        """
        spans = trees.read_spans()
        if result.outcome not in (RunOutcome.INTERRUPTED, RunOutcome.STOPPED) or not spans:
            return None
        changed = list_run_changes(self._workspace, spans)
        rules = set[str]()
        if any(attempt.rule for attempt in result.attempts):
            rules.update(self.rulebook.list_files())
        return {
            path: is_new
            for path, is_new in changed.items()
            if path not in rules and not path.startswith(f"{LEARNINGS}/")
        }

    def _describe_stop(self, message: str) -> str:
        """Return why a run stopped, and whether its tests are still unchanged."""
        with contextlib.suppress(LoopError):  # the state cannot be read: the message must do
            if state := self.parts.guard.describe_state():
                return f"{message}; {state}"
        return message

    @cached_property
    def _workspace(self) -> GitWorkspace:
        return open_workspace(self.work_folder.folder, self.record.folder)

    @property
    def _trees(self) -> RunTrees | None:
        """The record for `orchestrator undo`; None if it cannot be continued.

        A run in a separate work tree has nothing to undo. While trees are swapped, the files are
        not the run's.
        """
        note = SwapNote.for_project(self.work_folder.folder, self.store.directory)
        if self.record.lane or self.work_folder.worktree or note.path.exists():
            return None
        return RunTrees(self.record.folder, self._workspace)

    def _make_steps(self) -> Steps:
        record, state, project = self.record, self.store.directory, self.work_folder.folder
        workspace = self._workspace

        def pin_tree(pinned: PinnedTree, known: bool) -> None:
            folder = locate_pin(state, pinned)
            if not (known and folder.parent.exists()):
                workspace.pin_snapshot(pinned, folder)

        return Steps(
            task=replace(record.task, project=project),
            agent=wiring.meter_agent(self.config, self.parts),
            suite=self.parts.suite,
            teacher=self.parts.teacher,
            workspace=workspace,
            rulebook=self.rulebook,
            journal=self.journal,
            folder=record.folder,
            emit=self.emit,
            guard=self.parts.guard,
            masker=self.parts.masker,
            pending=self.parts.pending,
            swap_note=SwapNote.for_project(project, state),
            old_failures_must_pass=self.config.tests.old_failures == "must_pass",
            save=lambda run: self.store.save_result(record.id, run, self.token),
            set_attempt=self.emit.set_attempt,
            pin=pin_tree,
        )
