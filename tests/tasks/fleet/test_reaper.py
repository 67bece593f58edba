"""The reaper: it fences first, does nothing twice, and takes no living worker for dead."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.journal import queues
from orchestrator.journal.queues import QueueEntry
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.storage.process_locks import hold_lock
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import JobStatus, WorkerState
from orchestrator.tasks.fleet.reaper import Reaper
from orchestrator.tasks.fleet.workers import WorkerStore
from tests.tasks.fleet.test_stores import END, JOB


class FakeQueue:
    """The queue, as far as the reaper sees it."""

    def __init__(self) -> None:
        self.taken: dict[str, str] = {}
        self.done: list[str] = []
        self.dies_before = ""

    def list_taken_jobs(self, _state: Path) -> list[QueueEntry]:
        return [QueueEntry(f"{job}.1", job, by, 5, "2") for job, by in self.taken.items()]

    def return_job(self, _state: Path, entry: QueueEntry) -> bool:
        return self._do("return", entry.job)

    def drop_job(self, _state: Path, entry: QueueEntry) -> None:
        self._do("drop", entry.job)

    def is_in_queue(self, _state: Path, job: str) -> bool:
        return job in self.taken

    def enqueue_job(self, _state: Path, job: str, _priority: int) -> bool:
        return self._do("enqueue", job)

    def _do(self, what: str, job: str) -> bool:
        if self.dies_before == what:
            self.dies_before = ""
            raise KeyboardInterrupt
        self.done.append(f"{what} {job}")
        self.taken.pop(job, None)
        return True


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with open_database(tmp_path / "state") as database:
        yield database


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> FakeQueue:
    fake = FakeQueue()
    for name in ("list_taken_jobs", "return_job", "drop_job", "is_in_queue", "enqueue_job"):
        monkeypatch.setattr(queues, name, getattr(fake, name))
    return fake


@pytest.fixture
def jobs(database: Database, queue: FakeQueue) -> JobStore:
    store = JobStore(database)
    store.create_job(JOB)
    store.claim_job("j1", "w1")
    queue.taken["j1"] = "w1"
    return store


def test_the_job_of_a_dead_worker_is_fenced_and_returned(jobs: JobStore, queue: FakeQueue) -> None:
    (reaped,) = Reaper(jobs.database, "w2").reap_jobs()
    assert (reaped.job, reaped.worker, reaped.is_ended) == ("j1", "w1", False)
    assert queue.done == ["return j1"]
    found = jobs.load_job("j1")
    assert (found.status, found.token, found.deaths) == (JobStatus.QUEUED, 2, 1)
    assert Reaper(jobs.database, "w2").reap_jobs() == []


def test_a_reaper_that_is_killed_between_fence_and_return_is_followed_by_another(
    jobs: JobStore, queue: FakeQueue
) -> None:
    queue.dies_before = "return"
    with pytest.raises(KeyboardInterrupt):
        Reaper(jobs.database, "w2").reap_jobs()
    assert jobs.load_job("j1").status is JobStatus.QUEUED
    Reaper(jobs.database, "w3").reap_jobs()
    assert queue.done == ["return j1"]
    assert jobs.load_job("j1").deaths == 1


def test_a_living_worker_and_the_own_one_keep_their_jobs(jobs: JobStore, queue: FakeQueue) -> None:
    assert Reaper(jobs.database, "w1").reap_jobs() == []
    lock = hold_lock(jobs.database, "w1")
    try:
        assert Reaper(jobs.database, "w2").reap_jobs() == []
    finally:
        lock.release()
    assert queue.done == []


def test_a_worker_that_shows_no_sign_of_life_counts_as_dead_after_a_while(
    jobs: JobStore, queue: FakeQueue
) -> None:
    workers = WorkerStore(jobs.database)
    workers.register_worker("w1", "2", 1)
    now = [0.0]
    lock = hold_lock(jobs.database, "w1")
    try:
        reaper = Reaper(jobs.database, "w2", 300.0, clock=lambda: now[0])
        for now[0] in (0.0, 200.0, 299.0):
            assert reaper.reap_jobs() == []
        workers.see_worker("w1", WorkerState.SERVING)
        for now[0] in (400.0, 600.0):
            assert reaper.reap_jobs() == []
        now[0] = 701.0
        assert len(reaper.reap_jobs()) == 1
    finally:
        lock.release()


def test_a_job_whose_result_was_saved_leaves_the_queue(jobs: JobStore, queue: FakeQueue) -> None:
    jobs.save_end("j1", 1, END)
    Reaper(jobs.database, "w2").reap_jobs()
    assert queue.done == ["drop j1"]
    assert jobs.load_job("j1").end == END


def test_the_third_death_ends_a_job(jobs: JobStore, queue: FakeQueue) -> None:
    for number in (1, 2):
        jobs.fence_job("j1", f"w{number}")
        jobs.claim_job("j1", f"w{number + 1}")
    queue.taken["j1"] = "w3"
    (reaped,) = Reaper(jobs.database, "w4").reap_jobs()
    assert reaped.is_ended
    assert queue.done == ["drop j1"]


def test_a_job_that_the_queue_has_forgotten_is_put_in_again(
    jobs: JobStore, queue: FakeQueue
) -> None:
    queue.taken.clear()
    Reaper(jobs.database, "w2").reap_jobs()
    assert queue.done == ["enqueue j1"]
    assert jobs.load_job("j1").status is JobStatus.QUEUED
