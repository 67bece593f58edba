"""The workflow that carries a run: all of it is found by the run's id, by whichever process.

This module registers it with DBOS. Every process that carries runs imports it.
"""

import contextlib
import os
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.config import Config
from orchestrator.config.keeper import ConfigMasker
from orchestrator.errors import LoopError, LostRunError
from orchestrator.journal.durable import DurableWorkflow
from orchestrator.journal.fenced import FencedJournal
from orchestrator.learnings.failure_log import create_failure_logger
from orchestrator.loop.run_loop import run_loop
from orchestrator.loop.steps import Steps
from orchestrator.models import RESUMABLE, RunOutcome, RunRecord, RunResult, Task
from orchestrator.platform import process
from orchestrator.platform.project import resolve_project
from orchestrator.ports import Journal
from orchestrator.rulebook.outcomes import build_outcomes_listener
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.services import rulebooks, wiring
from orchestrator.services.isolation import WorkFolder, open_worktree, remove_leftover_worktrees
from orchestrator.services.recovery import end_leftover_processes, lock_project, revert_swap
from orchestrator.services.upkeep import prune_after_run
from orchestrator.services.variables import restore_variables
from orchestrator.storage.event_record import EventBuffer, record_events
from orchestrator.storage.place import ensure_masking_key, resolve_state_directory
from orchestrator.storage.runs import Store
from orchestrator.teaching.pending import Pending
from orchestrator.workspace import open_workspace
from orchestrator.workspace.pinning import PinnedTree, locate_pin
from orchestrator.workspace.swap import SwapNote


def _ignore_event(_event: events.Event) -> None:
    """Take an event of a run that nobody watches."""


@dataclass(frozen=True)
class Caller:
    """What a process brings to a run that it carries, and what is written down nowhere.

    A process that brings nothing carries the run all the same: with its own environment, with the
    task as it is on record, and watched by nobody.

    Args:
        state: the state directory; the user's by default.
        environment: what agent, teacher and suite see as theirs, with the secrets that they need.
        listener: hears what happens; also from other threads than the caller's.
        task: the task with the secrets in it, which are masked on record.
        config: the configuration with the secrets in it, and with limits that are others now.
        held: what happened before the run was taken up.
    """

    state: Path = field(default_factory=resolve_state_directory)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    listener: events.Listener = _ignore_event
    task: str = ""
    config: Config | None = None
    early_events: EventBuffer = field(default_factory=EventBuffer)


_caller: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def execute_run(run: str, caller: Caller) -> RunResult:
    """Carry a run from its last finished step to an outcome, in this thread.

    Args:
        run: the run's whole id; it is in the store.
        caller: what this process brings.

    Raises:
        LostRunError: another process has taken the run up since.
        LoopError, TeacherError: something is missing or wrong; no token was spent.
    """
    before = _caller.set(caller)
    try:
        _WORKFLOW.execute(run, caller.state)
    finally:
        _caller.reset(before)
    with Store(caller.state) as store:
        record = store.load_run(run)
        prune_after_run(store, record.id, events.RunEvents(run, caller.listener))
    return record.result or RunResult(record.outcome)


def _execute_workflow(run: str, open_journal: Callable[[], Journal]) -> str:
    """Find all parts of a run by its id, and carry it on; gives its outcome."""
    caller = _caller.get() or Caller()
    emit = events.RunEvents(run, caller.early_events, caller.listener)
    with Store(caller.state) as store:
        record = store.find_run(run)
        if record.outcome not in RESUMABLE:
            return record.outcome
        project = resolve_project(record.task.project)
        config = caller.config or wiring.recall_config(store, run, project, caller.environment)
        with (
            _open_work_folder(config, project, run, store, emit) as place,
            lock_project(place.folder, store),
        ):
            record = store.find_run(run)  # again: whoever had the lock may have ended it
            if record.outcome not in RESUMABLE:
                return record.outcome
            return _execute_in_folder(record, config, place, store, open_journal, caller, emit)


def _open_work_folder(
    config: Config,
    project: Path,
    run: str,
    store: Store,
    listener: events.Listener,
) -> contextlib.AbstractContextManager[WorkFolder]:
    if not config.workspace.isolate:
        return contextlib.nullcontext(WorkFolder(project))
    fresh = store.read_token(run) == 0
    if fresh:
        remove_leftover_worktrees(project, store, listener)
    return open_worktree(project, run, store.directory, listener, fresh=fresh)


def _execute_in_folder(
    record: RunRecord,
    config: Config,
    place: WorkFolder,
    store: Store,
    open_journal: Callable[[], Journal],
    caller: Caller,
    emit: events.RunEvents,
) -> str:
    resumed = store.read_token(record.id) > 0
    if resumed:
        revert_swap(place.folder, store, emit)
        end_leftover_processes(record, emit)
    environment = restore_variables(record.folder, caller.environment, emit)
    home, state = record.task.project, store.directory
    account = wiring.open_account(config, store.database, record.id)
    parts = wiring.build_parts(config, place.folder, environment, emit, state, account)
    keeper = ConfigMasker(parts.masker, ensure_masking_key(state))
    token = store.claim_run(
        record.id, keeper.mask_changed_config(config, store.read_config(record.id))
    )
    place.started = True
    rulebook, history = rulebooks.open_rulebook(
        config, place.folder, store.database, emit, run=record.id, home=home
    )
    outcomes = build_outcomes_listener(
        history,
        rulebook,
        record.id,
        lambda text: emit(events.Notice(text)),
        tidy=place.folder == home,
    )
    recorder = record_events(store.events, record.id, parts.masker)
    logger = create_failure_logger(home, emit)
    caller.early_events.flush_to(recorder)
    emit.listen_first(recorder, _track_attempt(parts), logger, outcomes)
    carried = _RunExecution(
        replace(record, task=Task(caller.task or record.task.text, home)),
        config,
        place,
        store,
        token,
        parts,
        rulebook,
        FencedJournal(open_journal(), lambda: store.require_owner(record.id, token)),
        process.Children(record.id),
        emit,
    )
    return carried.run_to_end(resumed=resumed).outcome


@dataclass(frozen=True)
class _RunExecution:
    """A run with its parts, while this process carries it."""

    record: RunRecord
    config: Config
    work_folder: WorkFolder
    store: Store
    token: int
    parts: wiring.Parts
    rulebook: MarkdownRulebook
    journal: Journal
    children: process.Children
    emit: events.RunEvents

    def run_to_end(self, *, resumed: bool) -> RunResult:
        """Run the loop, put its end on record, and report it, however it ends.

        Raises:
            LostRunError: another process carries the run now; its record is left alone.
        """
        started, record = time.monotonic(), self.record
        self.emit(events.RunStarted(record.id, record.task, record.folder, resumed))
        try:
            result = self._loop_or_stop()
        except LostRunError:
            self.work_folder.lost = True
            self.children.end_all()
            raise
        except BaseException as error:
            # A signal that came while a child was being started left it to nobody.
            self.children.end_all()
            with contextlib.suppress(LostRunError):  # then how it ends is another's to say
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
        with self.children.collect():
            result = run_loop(self._make_steps(), wiring.build_policy(self.config))
        if result.outcome is RunOutcome.STOPPED:
            result = replace(result, message=self._describe_stop(result.message))
        self.store.require_owner(self.record.id, self.token)
        task = self.record.task
        masked = replace(task, text=self.parts.masker.mask(task.text))
        self.work_folder.commit_work(masked, self.record.id, result, self.rulebook.list_files())
        self.store.save_result(self.record.id, result, self.token)
        return result

    def _end_run(self, outcome: RunOutcome, message: str) -> RunResult:
        return self.store.end_run(self.record.id, outcome, message, self.token)

    def _report_end(self, result: RunResult, started: float) -> None:
        seconds = time.monotonic() - started
        self.emit(events.RunEnded(self.record.id, result, self.record.folder, seconds))

    def _describe_stop(self, message: str) -> str:
        """Say, where a run stopped, whether the tests are as they were."""
        with contextlib.suppress(LoopError):  # then the message says what cannot be read
            if state := self.parts.guard.describe_state():
                return f"{message}; {state}"
        return message

    def _make_steps(self) -> Steps:
        record, state, project = self.record, self.store.directory, self.work_folder.folder
        workspace = open_workspace(project, record.folder)

        def pin(pinned: PinnedTree, known: bool) -> None:
            folder = locate_pin(state, pinned)
            if not (known and folder.parent.exists()):
                workspace.pin_snapshot(pinned, folder)

        return Steps(
            task=Task(record.task.text, project),
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
            pending=Pending(record.task.project, state),
            swap_note=SwapNote.for_project(project, state),
            old_failures_must_pass=self.config.tests.old_failures == "must_pass",
            save=lambda run: self.store.save_result(record.id, run, self.token),
            set_attempt=self.emit.set_attempt,
            pin=pin,
        )


def _track_attempt(parts: wiring.Parts) -> events.Listener:
    """Let what is spent stand under the attempt that it is spent in."""

    def listen(event: events.Event) -> None:
        parts.account.attempt = event.attempt

    return listen


_WORKFLOW: Final = DurableWorkflow("carry", _execute_workflow)
