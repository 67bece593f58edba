"""Start a run, or resume one."""

import os
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchestrator import events
from orchestrator.config import LoadedConfig, Override, override_limits
from orchestrator.config.masked_config import ConfigMasker, find_run_origins, read_trusted
from orchestrator.config.setting_hints import complete_hints
from orchestrator.errors import UsageError
from orchestrator.masking import Masker
from orchestrator.models import RESUMABLE, RunOutcome, RunRecord, RunResult, Task
from orchestrator.platform.project import resolve_project
from orchestrator.services import wiring
from orchestrator.services.lane_preparation import LANE_VARIABLE
from orchestrator.services.project_settings import report_project_choices
from orchestrator.services.recovery import recover_project
from orchestrator.services.renewed_tests import renew_tests
from orchestrator.services.run_environment import record_variables
from orchestrator.services.run_homes import resolve_home
from orchestrator.services.suite_choice import choose_suite
from orchestrator.services.teacher_notices import report_unused_settings
from orchestrator.services.trust import (
    format_command,
    list_digests,
    load_trusted_config,
    require_still_trusted,
)
from orchestrator.storage.event_record import EventBuffer
from orchestrator.storage.runs import Store, create_run_id
from orchestrator.storage.state_directory import (
    build_state_error,
    ensure_masking_key,
    find_lane_top,
    find_list_of_lane,
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
    """Return the exit code of the program for the outcome of a run."""
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
    """Run a task in a project: store the run in the database, and execute it.

    Args:
        task: what the agent is asked to do.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: values that take precedence over the file's.
        listener: receives the events, possibly in threads other than the caller's.
        environment: environment variables for the agent, the teacher and the configuration; those
            of this process if None.
        state: the state directory that stores the run; the user's if None.

    Raises:
        LoopError, TeacherError: a requirement is missing or invalid; no tokens were spent, and
            nothing is stored.
    """
    if not task.strip():
        raise UsageError("the task is empty", "describe what the agent should do")
    # An argument may contain bytes that are not valid text; no API or database accepts them.
    task = task.encode("utf-8", "replace").decode()
    _preload_workflows()
    project = resolve_project(project)
    state, environment = state or resolve_state_directory(), environment or os.environ
    run, early_events = create_run_id(), EventBuffer()
    emit = events.RunEvents(run, early_events, listener)
    with Store(state) as store:
        recover_project(project, store, emit)  # first, because it may restore the configuration
        loaded = load_trusted_config(
            project, config_file, overrides, environment, state=store.directory
        )
        loaded = choose_suite(loaded, project, environment, emit, task)
        report_project_choices(loaded, emit)
        report_unused_settings(loaded, emit)
        masker = wiring.build_masker(loaded.config, environment, store.directory)
        given = [each.key for each in overrides]
        masked_config = mask_run_config(loaded, project, config_file, masker, store, given)
        store.create_run(Task(masker.mask(task), project), masked_config, run)
    try:
        _record_environment(run, state, environment, masker)
        from orchestrator.services.workflows import Caller, execute_run

        caller = Caller(state, environment, listener, task, loaded.config, early_events)
        with complete_hints(loaded.config, loaded.origins, format_command(project)):
            return execute_run(run, caller)
    except BaseException:
        with Store(state) as store:
            store.discard_run(run)
        raise


def resume_run(
    run: str,
    *,
    project: Path | None = None,
    listener: events.Listener,
    limits: Sequence[Override] = (),
    state: Path | None = None,
) -> RunResult:
    """Resume a run after its last finished step, with the configuration it was started with.

    While its suite has given no verdict yet, `tests.*` is read again. A run of a task list keeps
    the settings of the list, and is resumed only for the list: in the environment of its lane.

    Args:
        run: the run's id, a prefix of it, or `last`.
        project: the directory of the project whose `last` is meant; None for all projects.
        listener: receives the events, possibly in threads other than the caller's.
        limits: limits to change for the rest of the run, such as the one that stopped it.
        state: the state directory that stores the run; the user's if None.

    Raises:
        LoopError, TeacherError: there is no such run, or it cannot be resumed.
    """
    _preload_workflows()
    state = state or resolve_state_directory()
    with Store(state) as store:
        record = store.find_run(run, project, in_lanes=False)

        from orchestrator.services.workflows import Caller, execute_run

        if record.outcome not in RESUMABLE:
            raise UsageError(f"run {record.id} has ended: {record.outcome}", "start a new run")
        store.require_resumable(record.id)
        folder = resolve_home(record)
        config = wiring.recall_config(store, record.id, folder, os.environ)
        stored = store.read_config(record.id)
        if record.lane:
            # Its list decides about settings and trust, for all its runs alike: the project, and
            # what the user trusts, may be on another machine.
            _require_own_lane(record, state)
        else:
            config, stored = renew_tests(record, config, stored, folder, store, os.environ)
            require_still_trusted(folder, read_trusted(stored), state)
    changed = override_limits(config, limits)
    caller = Caller(state, listener=listener, config=changed, stored_config=stored)
    origins = find_run_origins(stored, os.environ)
    with complete_hints(changed, origins, format_command(folder)):
        return execute_run(record.id, caller)


def _require_own_lane(record: RunRecord, state: Path) -> None:
    """Check that this process has the environment of the lane that a run works in.

    Raises:
        UsageError: a person resumes it, without the lane's ports and its TMPDIR. Its work would not
            reach the branch of the list.
    """
    if record.lane and os.environ.get(LANE_VARIABLE) != find_lane_top(state, record.lane).name:
        name = find_list_of_lane(state, record.lane)
        raise UsageError(
            f"run {record.id} belongs to the task list {name}",
            f"continue the list: `orchestrator tasks resume {name}`",
        )


def mask_run_config(
    loaded: LoadedConfig,
    project: Path,
    file: Path | None,
    masker: Masker,
    store: Store,
    given: Sequence[str],
) -> str:
    """Return a configuration as text for the database, without its secrets."""
    config_masker = ConfigMasker(masker, ensure_masking_key(store.directory))
    trusted = list_digests(project, loaded.trusted, store.directory)
    return config_masker.mask_config(loaded.config, file and file.resolve(), trusted, given)


def _record_environment(
    run: str, state: Path, environment: Mapping[str, str], masker: Masker
) -> None:
    try:
        record_variables(run_folder(state, run), environment, masker)
    except OSError as error:
        raise build_state_error(state, error) from error


def _preload_workflows() -> None:
    """Import DBOS, which takes a second, in a thread while the configuration is read."""
    threading.Thread(target=_import_workflows, daemon=True).start()


def _import_workflows() -> None:
    import orchestrator.services.workflows  # noqa: F401 -- only to preload it
