"""Runs as a service: start one, or go on with one. The faces of the product call this."""

import contextlib
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from orchestrator import events, process, wiring
from orchestrator.config import Config, Override, load, with_new_limits
from orchestrator.errors import LoopError, UsageError
from orchestrator.isolation import Place, in_worktree, remove_leftovers
from orchestrator.loop import run_loop
from orchestrator.memory.learnings.recording import failure_logger
from orchestrator.memory.outcomes import outcomes_listener
from orchestrator.memory.rulebook import MarkdownRulebook
from orchestrator.models import RunOutcome, RunRecord, RunResult, Task
from orchestrator.recovery import end_leftovers, hold_project, recover_project, revert_swap
from orchestrator.steps import Steps
from orchestrator.storage.runs import Store, new_id
from orchestrator.teaching.pending import Pending
from orchestrator.upkeep import prune_after_run
from orchestrator.variables import keep_variables, recall_variables
from orchestrator.workspace import open_workspace
from orchestrator.workspace.swap import SwapNote

_RESUMABLE = (
    RunOutcome.PAUSED,
    RunOutcome.STOPPED,
    RunOutcome.INTERRUPTED,
    RunOutcome.RUNNING,  # its process was killed: the project's lock is free again
)

_EXIT_CODES = {
    RunOutcome.SOLVED: 0,
    RunOutcome.NOT_SOLVED: 1,
    RunOutcome.NOTHING_CHANGED: 1,
    RunOutcome.PAUSED: 1,
    RunOutcome.MISCONFIGURED: 2,
    RunOutcome.STOPPED: 3,
    RunOutcome.INTERRUPTED: 130,
}


def exit_code(result: RunResult) -> int:
    """The exit code that tells a script how a run ended."""
    return _EXIT_CODES[result.outcome]


def start_run(
    task: str,
    project: Path,
    config_file: Path | None = None,
    overrides: Sequence[Override] = (),
    *,
    listener: events.Listener,
    environment: Mapping[str, str] | None = None,
    state: Path | None = None,
) -> RunResult:
    """Run a task in a project.

    Args:
        task: what the agent is asked to do.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: values that win over the file's.
        listener: hears what happens; also from other threads than the caller's.
        environment: what agent, teacher and configuration see as theirs; ours if None.
        state: the state directory that keeps the run; the user's if None.

    Raises:
        LoopError, TeacherError: something is missing or wrong; no token was spent.
    """
    if not task.strip():
        raise UsageError("the task is empty", "say what is to be done")
    # Bytes of a command line that are no text: neither an API nor a database takes them.
    task = task.encode("utf-8", "replace").decode()
    _meanwhile(_load_the_journal)
    project = wiring.checked_project(project)
    with Store(state) as store:
        recover_project(project, store, listener)  # also the configuration, which is read next
    loaded = load(project, config_file, overrides, environment)
    config = loaded.config
    wiring.tell_what_a_project_chose(loaded, listener)
    run = new_id()
    with (
        Store(state) as store,
        _place(config, project, run, store, listener) as place,
        hold_project(place.folder, store),
    ):
        ours = environment or os.environ
        account = wiring.open_account(config, store.database, run)
        parts = wiring.build(config, place.folder, ours, listener, store.directory, account)
        told = Task(parts.masker.text(task), project)
        record = replace(
            store.create(told, config.model_dump_json(), run), task=Task(task, project)
        )
        keep_variables(record.folder, ours, parts.masker)
        return _carry(record, store, config, parts, place, listener, resumed=False)


def resume_run(
    run: str, *, listener: events.Listener, limits: Sequence[Override] = ()
) -> RunResult:
    """Go on with a run after its last finished step, with the configuration it began with.

    Args:
        run: its id, the beginning of it, or `last`.
        listener: hears what happens.
        limits: settings that are other now, because the old ones stopped the run.

    Raises:
        LoopError, TeacherError: there is no such run, or nothing to go on with.
    """
    _meanwhile(_load_the_journal)
    with Store() as store:
        record = store.get(run)
        if record.outcome not in _RESUMABLE:
            raise UsageError(f"run {record.id} has ended: {record.outcome}", "start a new run")
        project = wiring.checked_project(record.task.project)
        config = with_new_limits(Config.model_validate_json(store.config(record.id)), limits)
        at = _place(config, project, record.id, store, listener, resumed=True)
        with at as place, hold_project(place.folder, store):
            revert_swap(place.folder, store, listener)
            end_leftovers(record, listener)
            ours, state = recall_variables(record.folder, os.environ, listener), store.directory
            account = wiring.open_account(config, store.database, record.id)
            parts = wiring.build(config, place.folder, ours, listener, state, account)
            store.take_up(record.id)
            return _carry(record, store, config, parts, place, listener, resumed=True)


def _carry(
    record: RunRecord,
    store: Store,
    config: Config,
    parts: wiring.Parts,
    place: Place,
    listener: events.Listener,
    *,
    resumed: bool,
) -> RunResult:
    place.began = True
    project = record.task.project
    logger = failure_logger(project, listener)
    rulebook, history = wiring.open_rulebook(
        config, place.folder, store, listener, run=record.id, home=project
    )
    outcomes = outcomes_listener(
        history,
        rulebook,
        record.id,
        lambda text: listener(events.Notice(text)),
        tidy=place.folder == project,
    )
    accountant = _accountant(parts)
    ours = (accountant, _saver(store, record.id), _early_importer(parts), logger, outcomes)
    emit = events.fan_out([*ours, listener])
    return _run_to_end(record, store, config, parts, place, rulebook, emit, resumed=resumed)


def _run_to_end(
    record: RunRecord,
    store: Store,
    config: Config,
    parts: wiring.Parts,
    place: Place,
    rulebook: MarkdownRulebook,
    emit: events.Listener,
    *,
    resumed: bool,
) -> RunResult:
    """Run the loop, put its end on record, and report it, however it ends."""
    started = time.monotonic()
    emit(events.RunStarted(record.id, record.task, record.folder, resumed))
    try:
        result = _loop_durably(record, store, config, parts, rulebook, place.folder, emit)
        result = _with_state_of_tests(result, parts)
        place.keep(record.task, record.id, result, rulebook.files())
        store.save(record.id, result)
    except LoopError as error:
        told = _with_state_of_tests(RunResult(RunOutcome.STOPPED, message=str(error)), parts)
        result = store.end(record.id, RunOutcome.STOPPED, told.message)
    except BaseException as error:
        process.end_all()  # a signal that came while a child was being started left it to nobody
        result = store.end(record.id, RunOutcome.INTERRUPTED, str(error))
        emit(events.RunEnded(record.id, result, record.folder, time.monotonic() - started))
        raise
    emit(events.RunEnded(record.id, result, record.folder, time.monotonic() - started))
    prune_after_run(store, config.state.keep_days, emit)
    return result


def _with_state_of_tests(result: RunResult, parts: wiring.Parts) -> RunResult:
    """Say, where a run stopped, whether the tests are as they were."""
    if result.outcome is not RunOutcome.STOPPED:
        return result
    with contextlib.suppress(LoopError):  # then the message says what cannot be read
        if state := parts.guard.describe_state():
            return replace(result, message=f"{result.message}; {state}")
    return result


def _loop_durably(
    record: RunRecord,
    store: Store,
    config: Config,
    parts: wiring.Parts,
    rulebook: MarkdownRulebook,
    project: Path,
    emit: events.Listener,
) -> RunResult:
    from orchestrator.journal.durable import DurableJournal, DurableRuns

    agent = wiring.meter_agent(config, parts)

    def loop(journal: DurableJournal) -> RunResult:
        steps = Steps(
            task=Task(record.task.text, project),
            agent=agent,
            suite=parts.suite,
            teacher=parts.teacher,
            workspace=open_workspace(project, record.folder),
            rulebook=rulebook,
            journal=journal,
            folder=record.folder,
            emit=emit,
            guard=parts.guard,
            masker=parts.masker,
            pending=Pending(record.task.project, store.directory),
            swap_note=SwapNote.of_project(project, store.directory),
            old_failures_must_pass=config.tests.old_failures == "must_pass",
        )
        return run_loop(steps, wiring.policy(config))

    with process.marking(record.id), DurableRuns(store.directory) as durable:
        return durable.carry(record.id, loop)


def _saver(store: Store, run: str) -> events.Listener:
    def save(event: events.Event) -> None:
        if isinstance(event, events.AttemptFinished):
            store.save(run, event.result)

    return save


def _accountant(parts: wiring.Parts) -> events.Listener:
    """Let what is spent stand under the attempt that it is spent in."""

    def listen(event: events.Event) -> None:
        if isinstance(event, events.AttemptStarted):
            parts.account.attempt = event.number

    return listen


def _early_importer(parts: wiring.Parts) -> events.Listener:
    """Let heavy libraries load while a child works and we would only wait."""

    def listen(event: events.Event) -> None:
        if isinstance(event, events.StepStarted):
            _meanwhile(parts.agent.warm)
        elif isinstance(event, events.AttemptStarted):
            _meanwhile(parts.teacher.warm)

    return listen


def _meanwhile(load: Callable[[], object]) -> None:
    threading.Thread(target=load, daemon=True).start()


def _load_the_journal() -> None:
    import orchestrator.journal.durable  # noqa: F401 -- imported for its import


def _place(
    config: Config,
    project: Path,
    run: str,
    store: Store,
    listener: events.Listener,
    *,
    resumed: bool = False,
) -> contextlib.AbstractContextManager[Place]:
    if config.workspace.isolate:
        if not resumed:
            remove_leftovers(project, store, listener)
        return in_worktree(project, run, store.directory, listener, resumed=resumed)
    return contextlib.nullcontext(Place(project))
