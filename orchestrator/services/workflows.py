"""Execute a run as a durable workflow: any process can rebuild the run from its id.

This module registers the workflow with DBOS. Every process that executes runs imports it.
"""

import contextlib
import os
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.config import Config
from orchestrator.config.masked_config import ConfigMasker, find_run_origins
from orchestrator.failures.record_masking import create_masked_listener
from orchestrator.journal.durable import DurableWorkflow
from orchestrator.journal.fenced import FencedJournal
from orchestrator.journal.service import RUN_WORKFLOW
from orchestrator.learnings.failure_log import create_failure_logger
from orchestrator.masking import Masker
from orchestrator.models import RESUMABLE, RunRecord, RunResult, Task
from orchestrator.platform.children import Children
from orchestrator.ports import Journal
from orchestrator.rulebook.outcomes import build_outcomes_listener
from orchestrator.rulebook.rulebook import MarkdownRulebook
from orchestrator.services import rulebooks, wiring
from orchestrator.services.execution import RunExecution
from orchestrator.services.isolation import (
    WorkFolder,
    open_lane,
    open_worktree,
    remove_leftover_worktrees,
)
from orchestrator.services.late_secrets import mask_late_secrets
from orchestrator.services.plan import build_plan
from orchestrator.services.private_files import PrivateRules
from orchestrator.services.project_lock import lock_project
from orchestrator.services.pruning import prune_after_run
from orchestrator.services.recovery import end_leftover_processes, revert_swap
from orchestrator.services.run_environment import restore_variables
from orchestrator.services.run_homes import find_home, resolve_home
from orchestrator.services.teacher_notices import report_changed_teacher
from orchestrator.storage.event_record import EventBuffer, record_events
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import ensure_masking_key, resolve_state_directory
from orchestrator.teaching.pending import Pending
from orchestrator.workspace.carrying import CarriedFiles


def _ignore_event(_event: events.Event) -> None:
    """Ignore an event: the default listener, for a run that nobody watches."""


@dataclass(frozen=True)
class Caller:
    """What the calling process knows about a run but the database does not.

    The defaults suit a process that knows only the run's id: its own environment, the stored task,
    and no listener.

    Args:
        state: the state directory; the user's by default.
        environment: the environment of agent, teacher and suite, with the secrets that they need.
        listener: receives the events, possibly in threads other than the caller's.
        task: the task with its secrets, which are masked in the database.
        config: the configuration with its secrets, and with changed limits.
        early_events: the events that were emitted before this process claimed the run.
        masker: removes secrets; knows afterwards what the run has learned.
        stored_config: the stored configuration, if other values are trusted now; otherwise empty.
    """

    state: Path = field(default_factory=resolve_state_directory)
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    listener: events.Listener = _ignore_event
    task: str = ""
    config: Config | None = None
    early_events: EventBuffer = field(default_factory=EventBuffer)
    masker: Masker | None = None
    stored_config: str = ""


_caller: Final[ContextVar[Caller | None]] = ContextVar("caller", default=None)


def execute_run(run: str, caller: Caller) -> RunResult:
    """Execute a run in this thread, from its last finished step until it has an outcome.

    Args:
        run: the complete id of a run in the database.
        caller: what this process knows about the run.

    Raises:
        LostRunError: another process has claimed the run in the meantime.
        LoopError, TeacherError: a requirement is missing or invalid; no tokens were spent.
    """
    if caller.config:
        masker = wiring.build_masker(caller.config, caller.environment, caller.state)
        caller = replace(caller, masker=masker)
    # In a context variable, because DBOS must be able to store the arguments of a workflow.
    previous = _caller.set(caller)
    try:
        _WORKFLOW.execute(run, caller.state)
    finally:
        _caller.reset(previous)
        if caller.masker:
            mask_late_secrets(caller.state, run, caller.masker, caller.listener)
    with Store(caller.state) as store:
        record = store.load_run(run)
        prune_after_run(store, record.id, events.RunEvents(run, caller.listener))
    return record.result or RunResult(record.outcome)


def _execute_workflow(run: str, open_journal: Callable[[], Journal]) -> str:
    """Build a run from its id, execute it, and return its outcome."""
    caller = _caller.get() or Caller()
    with Store(caller.state) as store:
        record = store.find_run(run)
        if record.outcome not in RESUMABLE:
            return record.outcome
        home = resolve_home(record)
        config = caller.config or wiring.recall_config(store, run, home, caller.environment)
        masker = caller.masker or wiring.build_masker(config, caller.environment, caller.state)
        listener = create_masked_listener(masker, caller.listener)
        emit = events.RunEvents(run, caller.early_events, listener)
        with (
            _open_work_folder(config, record, store, emit) as work_folder,
            lock_project(work_folder.folder, store),
        ):
            record = store.find_run(run)  # again: the lock's previous owner may have ended the run
            if record.outcome not in RESUMABLE:
                return record.outcome
            resumed = store.read_token(run) > 0
            preparation = _Preparation(record, config, work_folder, store, caller, emit, masker)
            execution = preparation.prepare_execution(open_journal, resumed=resumed)
            return execution.run_to_end(resumed=resumed).outcome


def _open_work_folder(
    config: Config, record: RunRecord, store: Store, listener: events.Listener
) -> contextlib.AbstractContextManager[WorkFolder]:
    fresh = store.read_token(record.id) == 0
    if record.lane:
        return open_lane(record, store.directory, listener, fresh=fresh)
    project = resolve_home(record)
    if not config.workspace.isolate:
        return contextlib.nullcontext(WorkFolder(project))
    if fresh:
        remove_leftover_worktrees(project, store, listener)
    return open_worktree(project, record.id, store.directory, listener, fresh=fresh)


@dataclass(frozen=True)
class _Preparation:
    """A run whose folder this process has locked, and which it is about to claim."""

    record: RunRecord
    config: Config
    work_folder: WorkFolder
    store: Store
    caller: Caller
    emit: events.RunEvents
    masker: Masker

    def prepare_execution(
        self, open_journal: Callable[[], Journal], *, resumed: bool
    ) -> RunExecution:
        """Clean up after the previous process, build the parts of the run, and claim it."""
        record, store = self.record, self.store
        if resumed:
            revert_swap(self.work_folder.folder, store, self.emit)
            end_leftover_processes(record, self.emit)
        environment = restore_variables(record.folder, self.caller.environment, self.emit)
        parts = self._build_parts(environment)
        if resumed:
            rows = store.events.list_events(record.id)
            report_changed_teacher(rows, parts.teacher.name, self.emit)
        payers = wiring.describe_payers(parts.agent, parts.teacher)
        plan = build_plan(
            self.config, find_home(record), environment, payers=payers, resumed=resumed
        )
        if carried := self.work_folder.carried:
            self.work_folder.private_rules = self._open_private_rules(carried)
        token = self._claim_run(parts)
        self.work_folder.started = True
        rulebook = self._open_rulebook(parts)
        return RunExecution(
            replace(record, task=self._task),
            self.config,
            plan,
            self.work_folder,
            store,
            token,
            parts,
            rulebook,
            FencedJournal(open_journal(), lambda: store.require_owner(record.id, token)),
            Children(record.id),
            self.emit,
            find_run_origins(store.read_config(record.id), self.caller.environment),
        )

    @property
    def _task(self) -> Task:
        """The task: with its secrets if this process knows them, else as stored in the record."""
        task = self.record.task
        return replace(task, text=self.caller.task) if self.caller.task else task

    def _build_parts(self, environment: Mapping[str, str]) -> wiring.Parts:
        record, store, emit = self.record, self.store, self.emit
        account = wiring.open_account(self.config, store.database, record.id, lambda: emit.attempt)
        task = replace(self._task, project=self.work_folder.folder)
        pending = Pending(
            record.task.project, store.directory, lambda text: emit(events.Notice(text))
        )
        return wiring.build_parts(
            self.config,
            task,
            record.folder,
            environment,
            emit,
            store.directory,
            account,
            home=record.task.project,
            masker=self.masker,
            pending=pending,
        )

    def _claim_run(self, parts: wiring.Parts) -> int:
        """Claim the run, now that its parts are complete, and return this process's token."""
        config_masker = ConfigMasker(parts.masker, ensure_masking_key(self.store.directory))
        stored = self.caller.stored_config or self.store.read_config(self.record.id)
        changed = config_masker.mask_changed_config(self.config, stored)
        return self.store.claim_run(self.record.id, changed)

    def _open_rulebook(self, parts: wiring.Parts) -> MarkdownRulebook:
        """Open the rulebook, and add the listeners that write to it, the database and the logs."""
        record, folder, emit = self.record, self.work_folder.folder, self.emit
        home = record.task.project  # not `find_home`: it identifies the history of the rules
        rulebook, history = rulebooks.open_rulebook(
            self.config, folder, self.store.database, emit, run=record.id, home=home
        )
        outcomes = build_outcomes_listener(
            history,
            rulebook,
            record.id,
            lambda text: emit(events.Notice(text)),
            tidy=folder == home,
        )
        recorder = record_events(self.store.events, record.id, parts.masker)
        logger = create_failure_logger(find_home(record), emit)
        self.caller.early_events.flush_to(recorder)
        emit.listen_first(recorder, logger, outcomes)
        if private := self.work_folder.private_rules:
            emit.listen_first(private.handle_event)
        return rulebook

    def _open_private_rules(self, carried: CarriedFiles) -> PrivateRules:
        """Open the rules that belong into the user's private files, beside the work tree."""
        record, database, config = self.record, self.store.database, self.config
        learned = rulebooks.resolve_rule_files(config, self.work_folder.folder, database.directory)
        own, _ = rulebooks.open_rulebook(
            config, record.task.project, database, self.emit, run=record.id
        )
        private = PrivateRules(carried, learned, own, record.folder, self.emit)
        private.require_writable()
        return private


_WORKFLOW: Final = DurableWorkflow(RUN_WORKFLOW, _execute_workflow)
