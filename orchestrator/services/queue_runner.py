"""Run the tasks of a list as jobs of workers.

The list's process may end: the workers go on, take over the jobs of each other when one dies, and
save what came of them. A list that is resumed finds the results.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.config import Config
from orchestrator.errors import InfrastructureError
from orchestrator.journal import queues
from orchestrator.masking import mask_text
from orchestrator.services.lane_results import LEARNED, WORK
from orchestrator.storage.database import Database
from orchestrator.storage.process_locks import is_free
from orchestrator.tasks.events import TaskProgress
from orchestrator.tasks.fleet.jobs import JobStore, build_base_ref, build_ref
from orchestrator.tasks.fleet.models import Job, JobRecord, JobStatus
from orchestrator.tasks.fleet.reaper import Reaper
from orchestrator.tasks.models import TaskEnd, TaskOrder
from orchestrator.workspace.lanes import LaneRepository

_POLL_SECONDS: Final = 0.5
_QUEUE_SECONDS: Final = 10.0


class QueueRunner:
    """Runs tasks as jobs of workers: `TaskRunner`.

    Args:
        project: the user's project.
        config: the configuration of the list's runs.
        stored: the same as text, with secrets masked.
        repository: the repository of the list.
        database: the record, which the workers use too.
        listener: receives progress.
    """

    def __init__(
        self,
        project: Path,
        config: Config,
        stored: str,
        repository: LaneRepository,
        database: Database,
        listener: events.Listener,
    ) -> None:
        self._project, self._stored, self._repository = project, stored, repository
        self._listener, self._jobs = listener, JobStore(database)
        self._state = database.directory
        self._url = config.queue.repository or str(repository.folder)
        self._is_local = not config.queue.repository
        self._shown: dict[str, str] = {}
        self._due: dict[str, float] = {}
        self._interrupted: set[str] = set()
        limits = queues.QueueLimits(config.queue.fleet_lanes, config.queue.starts_per_hour)
        queues.register_queue(self._state, limits, replace=True)

    def start(self, order: TaskOrder) -> None:
        """Send the base, and put the job into the queue; again, nothing is done twice.

        Raises:
            LoopError: the repository of the queue or the database cannot be used.
        """
        found = self._jobs.find_job(order.run)
        if found is None:
            self._send_base(order)
            job = Job(order, self._project, self._repository.prefix, self._url, self._stored)
            self._jobs.create_job(job)
        elif found.status is JobStatus.ENDED and not self._jobs.reopen_job(order.run):
            return
        queues.enqueue_job(self._state, order.run, order.priority)

    def poll(self, run: str) -> TaskEnd | None:
        """Return what came of a job, with its commits here, or None while it waits or runs.

        Raises:
            LoopError: there is no such job, or its commits cannot be fetched.
        """
        if not self._is_due(run, _POLL_SECONDS):
            return None
        record = self._jobs.load_job(run)
        if record.end and run not in self._interrupted and self._jobs.reopen_job(run):
            # It was cancelled by a process of this list that was interrupted before.
            record = self._jobs.load_job(run)
        if record.end:
            self._fetch_result(record, record.end)
            return record.end
        if record.status is not JobStatus.RUNNING and self._is_due(f"queue {run}", _QUEUE_SECONDS):
            # So that no kill, at whatever moment, leaves a job outside of the queue.
            queues.enqueue_job(self._state, run, record.job.order.priority)
        self._report_progress(record)
        return None

    def interrupt(self, run: str) -> None:
        """Cancel a job: its worker ends the agent; a job that waits leaves the queue."""
        self._interrupted.add(run)
        _cancel_job(self._jobs, run)

    def find_lane(self, run: str) -> Path | None:
        """Return None: the lane is a worker's."""

    def _is_due(self, what: str, seconds: float) -> bool:
        """Return whether it is time to look again: a scheduler asks many times a second."""
        now = time.monotonic()
        if now < self._due.get(what, 0.0):
            return False
        self._due[what] = now + seconds
        return True

    def _send_base(self, order: TaskOrder) -> None:
        ref = build_base_ref(order.run)
        if self._is_local:
            self._repository.set_ref(ref, order.base)
        else:
            self._exchange(lambda: self._repository.push(self._url, [f"{order.base}:{ref}"]))

    def _fetch_result(self, record: JobRecord, end: TaskEnd) -> None:
        """Fetch the commits of a job that are not here, and keep them as those of its run."""
        wanted = {WORK: ("work", end.work), LEARNED: ("learned", end.learned)}
        for own, (name, commit) in wanted.items():
            if not commit or self._repository.read_ref(own + record.id) == commit:
                continue
            if not self._repository.resolve(f"{commit}^{{commit}}"):
                self._fetch_ref(build_ref(record.id, record.token, name))
            self._repository.set_ref(own + record.id, commit)

    def _fetch_ref(self, ref: str) -> None:
        self._exchange(lambda: self._repository.fetch(self._url, [f"+{ref}:{ref}"]))

    def _exchange(self, action: Callable[[], None]) -> None:
        try:
            action()
        except InfrastructureError as error:
            raise InfrastructureError(
                f"code cannot be exchanged with {mask_text(self._url)}: {mask_text(error.message)}",
                "queue.repository must be a git repository that this machine and each worker can "
                "read and write",
            ) from error

    def _report_progress(self, record: JobRecord) -> None:
        text = "waits for a worker"
        if record.status is JobStatus.RUNNING:
            text = f"worker {record.worker}"
        if record.message:
            text = f"{text} ({record.message})"
        if self._shown.get(record.id) != text:
            self._shown[record.id] = text
            order = record.job.order
            self._listener(TaskProgress(task=order.task, lane=order.lane, text=text))


def cancel_jobs(database: Database, list_id: str) -> int:
    """Cancel all jobs of a list that have not ended, and return how many.

    Raises:
        InfrastructureError: the database cannot be used.
    """
    jobs = JobStore(database)
    found = jobs.list_unfinished(list_id)
    for each in found:
        _cancel_job(jobs, each)
    return len(found)


def _cancel_job(jobs: JobStore, run: str) -> None:
    jobs.cancel_job(run)
    queues.withdraw_job(jobs.database.directory, run)
    record = jobs.find_job(run)
    if record and record.status is JobStatus.RUNNING and is_free(jobs.database, record.worker):
        # Perhaps there is no other worker whose reaper would find it.
        Reaper(jobs.database).reap_jobs()
