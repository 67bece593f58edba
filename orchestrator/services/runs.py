"""Runs as a service: start one, or go on with one. The faces of the product call this."""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator import events
from orchestrator.config import Override, load_config, override_limits
from orchestrator.config.keeper import ConfigMasker
from orchestrator.errors import UsageError
from orchestrator.models import RESUMABLE, RunOutcome, RunResult, Task
from orchestrator.platform.project import resolve_project
from orchestrator.services import wiring
from orchestrator.services.recovery import recover_project
from orchestrator.services.run_environment import record_variables
from orchestrator.storage.event_record import EventBuffer
from orchestrator.storage.runs import Store, create_run_id
from orchestrator.storage.state_directory import (
    build_state_error,
    ensure_masking_key,
    resolve_state_directory,
    run_folder,
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
    """Run a task in a project: put the run on record, and carry it.

    Args:
        task: what the agent is asked to do.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: values that win over the file's.
        listener: hears what happens; also from other threads than the caller's.
        environment: what agent, teacher and configuration see as theirs; ours if None.
        state: the state directory that keeps the run; the user's if None.

    Raises:
        LoopError, TeacherError: something is missing or wrong; no token was spent, and nothing is
            on record.
    """
    if not task.strip():
        raise UsageError("the task is empty", "say what is to be done")
    # Bytes of a command line that are no text: neither an API nor a database takes them.
    task = task.encode("utf-8", "replace").decode()
    _preload_workflows()
    project = resolve_project(project)
    state, environment = state or resolve_state_directory(), environment or os.environ
    run = create_run_id()
    held = EventBuffer()
    emit = events.RunEvents(run, held, listener)
    with Store(state) as store:
        recover_project(project, store, emit)  # also the configuration, which is read next
        loaded = load_config(project, config_file, overrides, environment)
        wiring.report_project_choices(loaded, emit)
        masker = wiring.build_masker(loaded.config, environment, store.directory)
        masked = Task(masker.mask(task), project)
        keeper = ConfigMasker(masker, ensure_masking_key(store.directory))
        store.create_run(
            masked, keeper.mask_config(loaded.config, config_file and config_file.resolve()), run
        )

    from orchestrator.services.workflows import Caller, execute_run

    try:
        try:
            record_variables(run_folder(state, run), environment, masker)
        except OSError as error:
            raise build_state_error(state, error) from error
        caller = Caller(state, environment, listener, task, loaded.config, held)
        return execute_run(run, caller)
    except BaseException:
        with Store(state) as store:
            store.discard_run(run)
        raise


def resume_run(
    run: str,
    *,
    listener: events.Listener,
    limits: Sequence[Override] = (),
    state: Path | None = None,
) -> RunResult:
    """Go on with a run after its last finished step, with the configuration it began with.

    Args:
        run: its id, the beginning of it, or `last`.
        listener: hears what happens.
        limits: settings that are other from now on, because the old ones stopped the run.
        state: the state directory that keeps the run; the user's if None.

    Raises:
        LoopError, TeacherError: there is no such run, or nothing to go on with.
    """
    _preload_workflows()
    state = state or resolve_state_directory()
    with Store(state) as store:
        record = store.find_run(run)

        from orchestrator.services.workflows import Caller, execute_run

        if record.outcome not in RESUMABLE:
            raise UsageError(f"run {record.id} has ended: {record.outcome}", "start a new run")
        store.require_resumable(record.id)
        project = resolve_project(record.task.project)
        config = wiring.recall_config(store, record.id, project, os.environ)
    changed = override_limits(config, limits)
    return execute_run(record.id, Caller(state, listener=listener, config=changed))


def _preload_workflows() -> None:
    """Import what carries a run, while the configuration is read."""
    threading.Thread(target=_import_workflows, daemon=True).start()


def _import_workflows() -> None:
    import orchestrator.services.workflows  # noqa: F401 -- imported for its import
