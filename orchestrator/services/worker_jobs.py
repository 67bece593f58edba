"""Execute one job in a worker: fetch its base, run it in a lane, send the result.

    claim -> fetch -> lane -> run -> push -> save, each only while the token is the latest

Whatever is wrong with a job ends the job with one line, and never the worker.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final, TypeVar

from orchestrator.errors import DatabaseAwayError, InfrastructureError, LoopError, UsageError
from orchestrator.masking import mask_text
from orchestrator.models import RunOutcome
from orchestrator.platform.liveness import is_running
from orchestrator.platform.process_tree import end_marked_processes
from orchestrator.services.worker_repository import fetch_job, push_result
from orchestrator.services.worker_runs import open_lane_runner
from orchestrator.storage.opening import open_database
from orchestrator.storage.run_costs import sum_run_cost
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import JobRecord, JobStatus, Ownership
from orchestrator.tasks.fleet.workers import WorkerStore
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.tasks.ports import TaskRunner

T = TypeVar("T")
_CHILD_POLL: Final = 0.2
_RETRY_SECONDS: Final = 1.0
_MOST_TOKENS_NAMED: Final = 50
"""Runs of earlier owners whose leftovers are looked for."""


class _LostJobError(Exception):
    """Another worker has the job, or it was cancelled."""

    def __init__(self, ownership: Ownership) -> None:
        super().__init__(ownership.value)
        self.ownership = ownership


class _HandedBackError(Exception):
    """The worker drains, and gives the job to another one."""


class JobExecutor:
    """Executes the jobs that a worker takes, each in a thread of its own.

    Args:
        worker: the worker's id.
        state: the state directory.
        folder: the folder of this worker, which no other process uses.
        poll: seconds between two looks at the job's row.
        away: seconds for which the database may be away.
        report: called with each line about a job, in any thread.
        environment: that of the worker, with its keys.
    """

    def __init__(
        self,
        worker: str,
        state: Path,
        folder: Path,
        poll: float,
        away: float,
        report: Callable[[str], None],
        environment: Mapping[str, str],
    ) -> None:
        self._worker, self._state, self._folder = worker, state, folder
        self._poll, self._away = poll, away
        self._report, self._environment = report, environment
        self._hands_back = threading.Event()
        self._lock = threading.Lock()
        self._lanes: set[int] = set()

    def hand_back_jobs(self) -> None:
        """End the processes of all jobs, and let other workers have the jobs."""
        self._hands_back.set()

    def execute_job(self, job: str) -> bool:
        """Execute a job to its end, or until it is lost or handed back.

        Returns:
            Whether the queue may forget it: not if it was handed back.
        """
        with open_database(self._state) as database:
            jobs = JobStore(database)
            lane = self._take_lane()
            try:
                return self._execute(jobs, job, lane)
            finally:
                with self._lock:
                    self._lanes.discard(lane)

    def _take_lane(self) -> int:
        with self._lock:
            lane = next(number for number in range(1, 1000) if number not in self._lanes)
            self._lanes.add(lane)
            return lane

    def _execute(self, jobs: JobStore, job: str, lane: int) -> bool:
        before = self._repeat(lambda: jobs.find_job(job))
        if before and self._hands_back.is_set():
            return before.status is JobStatus.ENDED
        record = self._repeat(lambda: jobs.claim_job(job, self._worker))
        if before is None or record is None:
            return True
        order = record.job.order
        is_cancelled = False
        self._report(f"job {job}: took task {order.task} of list {order.list_id}, lane {lane}")
        try:
            self._repeat(lambda: self._end_leftovers(jobs, before))
            # The same run: what it has finished before the database went is not done again.
            end = self._repeat(lambda: self._run(jobs, record, lane))
        except _LostJobError as stop:
            if stop.ownership is Ownership.LOST:
                self._report(f"job {job}: another worker has it; its result here is dropped")
                return True
            end, is_cancelled = TaskEnd(RunOutcome.INTERRUPTED, "it was cancelled"), True
        except _HandedBackError:
            reason = f"worker {self._worker} was stopped"
            self._repeat(lambda: jobs.hand_back(job, record.token, reason))
            self._report(f"job {job}: handed back")
            return False
        except DatabaseAwayError:
            raise
        except LoopError as error:
            outcome = (
                RunOutcome.MISCONFIGURED if isinstance(error, UsageError) else RunOutcome.STOPPED
            )
            end = TaskEnd(outcome, str(error))
        except Exception as error:  # noqa: BLE001 -- a bug ends the job with a line, not the worker
            end = TaskEnd(
                RunOutcome.STOPPED,
                f"a bug of the worker: {type(error).__name__}: {mask_text(str(error))}",
            )
        if end.outcome is RunOutcome.INTERRUPTED and not is_cancelled:
            return self._note_death(jobs, job, end.message)
        is_saved = self._repeat(lambda: jobs.save_end(job, record.token, end))
        shown = f"{end.outcome}{f': {end.message}' if end.message else ''}"
        self._report(f"job {job}: {shown if is_saved else 'another worker has it; result dropped'}")
        return True

    def _note_death(self, jobs: JobStore, job: str, message: str) -> bool:
        """Give up a job whose process was ended by nobody here, perhaps by what the job does."""
        reason = message or "its process was ended"
        self._repeat(lambda: jobs.fence_job(job, self._worker, reason))
        self._report(f"job {job}: {reason}")
        return False

    def _repeat(self, action: Callable[[], T]) -> T:
        """Do something again while the database is away, as long as the worker may wait for it."""
        deadline = time.monotonic() + self._away
        while True:
            try:
                return action()
            except DatabaseAwayError as error:
                if self._hands_back.is_set() or time.monotonic() >= deadline:
                    raise
                self._report(f"the database is away, and is tried again: {error}")
            self._hands_back.wait(_RETRY_SECONDS)

    def _end_leftovers(self, jobs: JobStore, before: JobRecord) -> None:
        """End what earlier owners have left running on this machine.

        Those of a worker that died there by its mark. Those of one that was taken for dead and
        lives are ended by their runs: its result would be dropped.
        """
        from orchestrator.services.lane_child import end_leftovers

        if before.worker:
            process = WorkerStore(jobs.database).find_process(before.worker)
            if process and not is_running(process, local=False):
                end_marked_processes(process.text)
        for token in range(max(1, before.token - _MOST_TOKENS_NAMED), before.token + 1):
            end_leftovers(_name_run(before.id, token))

    def _run(self, jobs: JobStore, record: JobRecord, lane: int) -> TaskEnd:
        spent = self._sum_costs(jobs, record)
        run = _name_run(record.id, record.token)
        jobs.set_run(record.id, record.token, run)
        order = self._build_order(record, run, lane, spent)
        repository = fetch_job(self._folder / record.job.order.list_id, record)
        with open_lane_runner(record, repository, self._state, self._environment) as runner:
            runner.start(order)
            end = self._wait(jobs, record, runner, run)
        push_result(repository, record, {"work": end.work, "learned": end.learned})
        return replace(end, cost_usd=end.cost_usd + spent)

    def _build_order(self, record: JobRecord, run: str, lane: int, spent: float) -> TaskOrder:
        order = record.job.order
        left = order.max_cost_usd - spent
        if not order.max_cost_usd:
            left = 0.0  # no limit
        elif left <= 0:
            raise InfrastructureError(
                f"${spent:.2f} of ${order.max_cost_usd:.2f} were spent before its worker died",
                "raise tasks.max_cost_usd",
            )
        return replace(order, run=run, lane=lane, max_cost_usd=left)

    def _sum_costs(self, jobs: JobStore, record: JobRecord) -> float:
        """Return what the runs of earlier owners have cost."""
        return sum(
            sum_run_cost(jobs.database, _name_run(record.id, token)).cost_usd
            for token in range(max(1, record.token - _MOST_TOKENS_NAMED), record.token)
        )

    def _wait(self, jobs: JobStore, record: JobRecord, runner: TaskRunner, run: str) -> TaskEnd:
        stop: Exception | None = None
        looked = time.monotonic()
        while (end := runner.poll(run)) is None:
            time.sleep(_CHILD_POLL)
            if stop or (time.monotonic() - looked < self._poll and not self._hands_back.is_set()):
                continue
            looked = time.monotonic()
            stop = self._find_reason_to_stop(jobs, record)
            if stop:
                runner.interrupt(run)
        if stop:
            raise stop
        if reason := self._find_reason_to_stop(jobs, record, ended=True):
            raise reason
        return end

    def _find_reason_to_stop(
        self, jobs: JobStore, record: JobRecord, *, ended: bool = False
    ) -> Exception | None:
        try:
            ownership = jobs.check_owner(record.id, record.token)
        except DatabaseAwayError:
            # For a while: the result is saved when it is back.
            ownership = Ownership.OWN
        if ownership is Ownership.LOST or (ownership is Ownership.CANCELLED and not ended):
            return _LostJobError(ownership)
        if self._hands_back.is_set() and not ended:
            return _HandedBackError()
        return None


def _name_run(job: str, token: int) -> str:
    return f"{job}-{token}"
