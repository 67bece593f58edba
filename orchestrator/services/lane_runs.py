"""Run the tasks of a list in lanes of this machine: each in a process of its own.

<list>/lanes/<n>/         a lane: a work tree of the list's repository
<list>/lanes/<n>.tmp/     its TMPDIR, emptied before each run
<list>/lanes/<n>.log      what `lanes.prepare` printed
"""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from orchestrator import events
from orchestrator.config.masked_config import ConfigMasker
from orchestrator.errors import InfrastructureError, LoopError, UsageError
from orchestrator.masking import Masker
from orchestrator.models import RESUMABLE, RunOutcome, RunRecord, Task
from orchestrator.platform import files
from orchestrator.platform.private_folders import make_private_folder
from orchestrator.services import wiring
from orchestrator.services.lane_child import RunChild, end_leftovers
from orchestrator.services.lane_ports import reserve_ports
from orchestrator.services.lane_preparation import (
    build_lane_environment,
    prepare_lane,
)
from orchestrator.services.lane_results import (
    commit_lane,
    describe_end,
    list_lane_paths,
    run_check,
)
from orchestrator.services.lane_states import LaneStates
from orchestrator.services.lane_unseen import list_unseen_files, prepare_noted
from orchestrator.services.run_environment import record_variables
from orchestrator.storage.runs import Store
from orchestrator.storage.state_directory import build_state_error, ensure_masking_key, run_folder
from orchestrator.tasks.events import TaskProgress
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.workspace.lanes import LaneRepository

_ENDED: Final = (0, 1, 2, 3)
"""Exit codes of a process that has recorded how its run ended."""


@dataclass
class _LaneRun:
    """A run, while a thread of this process takes care of it."""

    order: TaskOrder
    lane: Path
    """The project's folder in the lane."""
    environment: Mapping[str, str]
    child: RunChild
    fresh: bool
    """Whether no process has executed it yet."""
    thread: threading.Thread | None = None
    started: float = field(default_factory=time.monotonic)
    end: TaskEnd | None = None
    error: LoopError | None = None


class LaneRunner:
    """Runs tasks in lanes of this machine: `TaskRunner`.

    One thread may call, best the one of the scheduler.

    Args:
        project: the user's project; it need not be on this machine.
        stored: the configuration of the list's runs, as `TaskStore.read_config` returns it. Its
            settings are trusted: that was decided where the list was started.
        repository: the repository of the lanes, with its base.
        store: the runs.
        listener: receives progress and notices, also in other threads.
        environment: that of the user, with the keys.

    Raises:
        UsageError: a secret of the configuration is missing here.
    """

    def __init__(
        self,
        project: Path,
        stored: str,
        repository: LaneRepository,
        store: Store,
        listener: events.Listener,
        environment: Mapping[str, str],
    ) -> None:
        self._project, self._stored = project, stored
        self._repository, self._store = repository, store
        self._listener, self._environment = listener, environment
        self._folder = repository.folder.parent
        keeper = ConfigMasker(Masker(), ensure_masking_key(store.directory))
        home = project if files.is_folder(project) else self._folder
        self._config = keeper.restore_config(stored, home, environment)
        self._masker = wiring.build_masker(self._config, environment, store.directory)
        self._lanes = LaneStates(repository)
        self._runs: dict[str, _LaneRun] = {}

    # ---- TaskRunner

    def start(self, order: TaskOrder) -> None:
        """Start a run, or continue it in its lane if it was started before.

        A lane is made or reset here; it is prepared in the thread that takes care of the run, and
        `poll` raises what goes wrong there.

        Raises:
            LoopError: the lane cannot be made, or the run cannot be recorded.
        """
        known = self._runs.get(order.run)
        if known and known.thread and known.thread.is_alive():
            return
        record = self._find_record(order.run)
        top = self._locate_top(order)
        self._require_free(top)
        if record is None:
            self._lanes.take(top, order)
            self._store_files(order.run, self._build_environment(top))
            record = self._create_record(order, top)
        elif record.lane is None:
            raise UsageError(f"run {order.run} is not one of a task list", "give it another id")
        else:
            # A process that was killed may have left its child, whose lock it would meet.
            end_leftovers(order.run)
            self._lanes.return_to(top, order, ended=record.outcome not in RESUMABLE)
        self._start_thread(order, top, fresh=self._store.read_token(order.run) == 0)

    def poll(self, run: str) -> TaskEnd | None:
        """Return what came of a run, or None while it works.

        Raises:
            LoopError: its lane could not be prepared, or what it left cannot be read.
        """
        found = self._runs.get(run)
        if found is None or found.thread is None:
            raise InfrastructureError(f"run {run} was not started in this process", "start it")
        if found.thread.is_alive():
            return None
        if found.error:
            raise found.error
        return found.end

    def interrupt(self, run: str) -> None:
        """End the processes of a run, and return at once; `poll` returns what it has left."""
        if found := self._runs.get(run):
            found.child.end()

    def find_lane(self, run: str) -> Path | None:
        """Return the lane of a run that was started here: the top of its work tree."""
        found = self._runs.get(run)
        return self._locate_top(found.order) if found else None

    def close(self) -> None:
        """End all runs, and wait until what they left is stored."""
        for found in self._runs.values():
            if found.thread and found.thread.is_alive():
                found.child.end()
        for found in self._runs.values():
            if found.thread:
                found.thread.join()

    # ---- lanes

    def _locate_top(self, order: TaskOrder) -> Path:
        return self._folder / "lanes" / str(order.lane)

    def _locate_project(self, top: Path) -> Path:
        return top / self._repository.prefix if self._repository.prefix else top

    def _require_free(self, top: Path) -> None:
        """Check that no run works in a lane that is to be reset.

        Raises:
            InfrastructureError: one does.
        """
        lane = self._locate_project(top)
        for run, each in self._runs.items():
            if each.lane == lane and each.thread and each.thread.is_alive():
                raise InfrastructureError(f"run {run} works in lane {top.name}", "wait for its end")

    def _build_environment(self, top: Path) -> dict[str, str]:
        ports = reserve_ports(self._config.lanes.ports, top, self._store.directory)
        return build_lane_environment(self._environment, top, ports)

    def _prepare(self, run: _LaneRun, top: Path) -> tuple[str, ...]:
        prepare = partial(
            prepare_lane,
            *(self._config, self._project, run.lane, top.with_name(f"{top.name}.log")),
            environment=run.environment,
            masker=self._masker,
        )
        return prepare_noted(self._repository, top, run.order.base, prepare)

    # ---- records

    def _find_record(self, run: str) -> RunRecord | None:
        try:
            record = self._store.find_run(run)
        except UsageError:
            return None
        return record if record.id == run else None

    def _create_record(self, order: TaskOrder, top: Path) -> RunRecord:
        mask = self._masker.mask
        task = Task(mask(order.prompt), self._project, mask(order.context))
        config = narrow_config(self._stored, order.max_cost_usd)
        return self._store.create_run(task, config, order.run, self._locate_project(top))

    def _store_files(self, run: str, environment: Mapping[str, str]) -> None:
        """Store the variables that a verdict depends on, before the run is in the database."""
        folder = run_folder(self._store.directory, run)
        try:
            make_private_folder(folder)
            record_variables(folder, environment, self._masker)
        except OSError as error:
            raise build_state_error(self._store.directory, error) from error

    # ---- the thread of a run

    def _start_thread(self, order: TaskOrder, top: Path, *, fresh: bool) -> None:
        def report(text: str) -> None:
            self._listener(TaskProgress(order.task, order.lane, text, run=order.run))

        environment, state = self._build_environment(top), self._store.directory
        child = RunChild(order.run, self._folder, environment, state, report)
        run = _LaneRun(order, self._locate_project(top), environment, child, fresh)
        run.thread = threading.Thread(
            target=self._take_care, args=(run, top), name=f"lane {order.lane}", daemon=True
        )
        self._runs[order.run] = run
        run.thread.start()

    def _take_care(self, run: _LaneRun, top: Path) -> None:
        """Execute a run, and store what it left; an error is for `poll`."""
        with run.child.collect():
            try:
                run.end = self._execute(run, top)
            except LoopError as error:
                run.error = error
            except Exception as error:  # noqa: BLE001 -- the thread's caller raises it
                run.error = InfrastructureError(
                    f"lane {run.order.lane} cannot go on: {type(error).__name__}: {error}"
                )

    def _execute(self, run: _LaneRun, top: Path) -> TaskEnd:
        order, message = run.order, ""
        try:
            included = self._prepare(run, top)
            if run.fresh and order.check and self._passes_before(run, top):
                self._store.discard_run(order.run)
                return TaskEnd(RunOutcome.NOTHING_CHANGED, check_passed_before=True)
        except LoopError:
            self._store.discard_run(order.run)  # does nothing to one that was executed before
            if not run.child.is_ending:
                raise
            if run.fresh:
                return TaskEnd(RunOutcome.INTERRUPTED, "it was interrupted before it began")
            included = ()
        outcome = None
        if self._store.find_run(order.run).outcome in RESUMABLE:
            token = self._store.read_token(order.run)
            code = run.child.execute()
            if self._store.read_token(order.run) == token:
                # It has not claimed the run, so only its output says why.
                outcome, message = self._explain(run, code)
                if not token:
                    self._store.discard_run(order.run)
                    return TaskEnd(outcome, message)
            elif code not in _ENDED and not run.child.is_ending:
                message = f"its process ended with exit code {code}: {run.child.last_error}"
        record = self._store.load_run(order.run)
        if outcome or record.outcome is RunOutcome.RUNNING:
            record = replace(record, outcome=outcome or RunOutcome.INTERRUPTED)
        return self._finish(run, top, record, included, self._masker.mask(message))

    def _passes_before(self, run: _LaneRun, top: Path) -> bool:
        """Return whether the check of a task passes already at its base, where it should fail."""
        order = run.order
        failed = run_check(order.check, self._config, run.lane, run.environment, self._masker)
        self._repository.reset_lane(top, order.base)  # what the check has written is no work
        return not failed

    def _explain(self, run: _LaneRun, code: int) -> tuple[RunOutcome, str]:
        """Return why a run did not begin; it may be started again under its id."""
        if run.child.is_ending:
            return RunOutcome.INTERRUPTED, "it was interrupted before it began"
        reason = self._masker.mask(run.child.last_error) or f"exit code {code}"
        return RunOutcome.STOPPED, f"the run cannot be started: {reason}"

    def _finish(
        self,
        run: _LaneRun,
        top: Path,
        record: RunRecord,
        included: tuple[str, ...],
        message: str,
    ) -> TaskEnd:
        order, repository = run.order, self._repository
        paths = list_lane_paths(
            self._config, self._store.directory, repository, order, run.lane, top
        )
        work, learned = commit_lane(repository, record, order, top, paths, included)
        not_work = (*paths.private, *paths.rules, *(repository.prefix + path for path in included))
        unseen = list_unseen_files(repository, top, order.base, not_work)
        failed = ""
        if order.check and record.outcome in (RunOutcome.SOLVED, RunOutcome.NOTHING_CHANGED):
            failed = run_check(order.check, self._config, run.lane, run.environment, self._masker)
            if failed and run.child.is_ending:  # the check itself was ended
                record, failed = replace(record, outcome=RunOutcome.INTERRUPTED), ""
        self._lanes.note_state(top, order, learned)
        seconds = time.monotonic() - run.started
        end = describe_end(self._store, record, seconds, message, failed)
        changed = repository.list_changes(order.base, work)
        return replace(end, work=work, learned=learned, changed=changed, unseen=unseen)


def narrow_config(stored: str, max_cost_usd: float) -> str:
    """Return the configuration of a list's runs for one of them, as it is stored.

    The run may spend what is reserved for it, waits for the reset of a usage limit, and counts as
    isolated: nothing of it is in the user's folder.
    """
    values: dict[str, Any] = json.loads(stored)
    limits: dict[str, Any] = values.setdefault("limits", {})
    allowed = limits.get("max_cost_usd")
    if max_cost_usd:  # 0: no limit of its own
        limits["max_cost_usd"] = min(max_cost_usd, allowed) if allowed else max_cost_usd
    limits["wait_for_reset"] = True
    values.setdefault("workspace", {})["isolate"] = True
    return json.dumps(values)
