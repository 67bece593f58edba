"""Rows of jobs and workers: one owner, fenced results, three deaths, and proofs of life."""

import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.errors import InfrastructureError
from orchestrator.models import RunOutcome
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.storage.process_locks import find_free, hold_lock, is_free
from orchestrator.tasks.fleet.jobs import JobStore
from orchestrator.tasks.fleet.models import Job, JobStatus, Ownership, WorkerState
from orchestrator.tasks.fleet.workers import WorkerStore, create_worker_id
from orchestrator.tasks.models import TaskEnd, TaskOrder

ROOT = Path(__file__).parents[3]
ORDER = TaskOrder("list", "T1", "j1", "Do it.", "b" * 40, 5, 1.5, 1, "pytest", ("plan.md",))
JOB = Job(ORDER, Path("/p"), "sub/", "/r.git", "{}")
END = TaskEnd(RunOutcome.SOLVED, "done", "w" * 40, "l" * 40, ("a.py",), cost_usd=0.5, seconds=2.0)


@pytest.fixture
def database(tmp_path: Path, each_database: str) -> Iterator[Database]:
    with open_database(tmp_path / "state") as database:
        yield database


@pytest.fixture
def jobs(database: Database) -> JobStore:
    store = JobStore(database)
    assert store.create_job(JOB)
    return store


def test_a_job_is_stored_once_and_read_as_it_was(jobs: JobStore) -> None:
    assert not jobs.create_job(JOB)
    found = jobs.load_job("j1")
    assert (found.job, found.status, found.token, found.end) == (JOB, JobStatus.QUEUED, 0, None)
    assert jobs.list_unfinished("list") == ["j1"]
    assert jobs.list_unfinished("other") == []


def test_only_the_latest_owner_saves_a_result(jobs: JobStore) -> None:
    first = jobs.claim_job("j1", "w1")
    assert first
    assert jobs.check_owner("j1", first.token) is Ownership.OWN
    second = jobs.claim_job("j1", "w2")
    assert second
    assert jobs.check_owner("j1", first.token) is Ownership.LOST
    assert not jobs.save_end("j1", first.token, TaskEnd(RunOutcome.NOT_SOLVED))
    assert jobs.save_end("j1", second.token, END)
    assert jobs.save_end("j1", second.token, END)  # the answer to the first was lost
    assert not jobs.save_end("j1", second.token, TaskEnd(RunOutcome.NOT_SOLVED))
    assert jobs.load_job("j1").end == END
    assert jobs.claim_job("j1", "w3") is None
    assert jobs.list_unfinished("list") == []


def test_the_result_of_a_fenced_worker_is_dropped(jobs: JobStore) -> None:
    owner = jobs.claim_job("j1", "w1")
    assert owner
    assert not jobs.fence_job("j1", "another")
    assert jobs.fence_job("j1", "w1")
    assert not jobs.fence_job("j1", "w1")
    assert not jobs.save_end("j1", owner.token, END)
    assert not jobs.hand_back("j1", owner.token, "")
    found = jobs.load_job("j1")
    assert (found.status, found.deaths, found.worker) == (JobStatus.QUEUED, 1, "w1")


def test_a_job_that_kills_its_workers_stops_after_three(jobs: JobStore) -> None:
    for number in (1, 2, 3):
        assert jobs.claim_job("j1", f"w{number}")
        assert jobs.fence_job("j1", f"w{number}")
    found = jobs.load_job("j1")
    assert found.status is JobStatus.ENDED
    assert found.end
    assert found.end.outcome is RunOutcome.NOT_SOLVED
    assert "3 workers or processes have died with it" in found.end.message
    assert jobs.claim_job("j1", "w4") is None


def test_a_job_that_is_handed_back_does_not_count_as_deadly(jobs: JobStore) -> None:
    for number in range(5):
        owner = jobs.claim_job("j1", f"w{number}")
        assert owner
        assert jobs.hand_back("j1", owner.token, "it drains")
        assert jobs.check_owner("j1", owner.token) is Ownership.LOST
    assert (jobs.load_job("j1").deaths, jobs.load_job("j1").status) == (0, JobStatus.QUEUED)


def test_a_waiting_job_is_cancelled_at_once_and_a_running_one_by_its_worker(
    jobs: JobStore,
) -> None:
    owner = jobs.claim_job("j1", "w1")
    assert owner
    jobs.cancel_job("j1")
    assert jobs.check_owner("j1", owner.token) is Ownership.CANCELLED
    assert jobs.save_end("j1", owner.token, TaskEnd(RunOutcome.INTERRUPTED))
    jobs.create_job(Job(TaskOrder("list", "T2", "j2", "", "b", 5, 1.0), Path("/p"), "", "", "{}"))
    jobs.cancel_job("j2")
    found = jobs.load_job("j2")
    assert found.end
    assert found.end.outcome is RunOutcome.INTERRUPTED
    assert jobs.claim_job("j2", "w1") is None


def test_a_cancelled_job_of_a_dead_worker_is_not_started_again(jobs: JobStore) -> None:
    jobs.claim_job("j1", "w1")
    jobs.cancel_job("j1")
    jobs.fence_job("j1", "w1")
    assert jobs.load_job("j1").status is JobStatus.ENDED


def test_a_cancelled_job_can_be_done_after_all(jobs: JobStore) -> None:
    jobs.claim_job("j1", "w0")
    jobs.fence_job("j1", "w0")
    jobs.cancel_job("j1")
    assert jobs.reopen_job("j1")
    found = jobs.load_job("j1")
    assert (found.status, found.cancelled, found.end) == (JobStatus.QUEUED, False, None)
    assert found.deaths == 1
    owner = jobs.claim_job("j1", "w1")
    assert owner
    jobs.cancel_job("j1")
    assert not jobs.reopen_job("j1")  # its worker is about to end it
    assert jobs.save_end("j1", owner.token, END)
    assert not jobs.reopen_job("j1")  # or has a result
    assert jobs.load_job("j1").end == END


def test_a_run_that_nobody_has_cancelled_is_not_opened_again(jobs: JobStore) -> None:
    owner = jobs.claim_job("j1", "w1")
    assert owner
    jobs.save_end("j1", owner.token, TaskEnd(RunOutcome.INTERRUPTED))
    assert not jobs.reopen_job("j1")


def test_what_a_newer_worker_adds_is_no_damage(jobs: JobStore) -> None:
    owner = jobs.claim_job("j1", "w1")
    assert owner
    jobs.save_end("j1", owner.token, END)
    added = "substr(result, 1, 1) || '\"new\": 1, ' || substr(result, 2)"
    jobs.database.write(f"UPDATE jobs SET result = {added}")  # noqa: S608 -- the test's own text
    assert jobs.load_job("j1").end == END


def test_no_secret_is_stored_in_a_result(jobs: JobStore) -> None:
    owner = jobs.claim_job("j1", "w1")
    assert owner
    secret = "sk-ant-api03-" + "x1Y2" * 20 + "-AAAA"
    jobs.save_end("j1", owner.token, TaskEnd(RunOutcome.STOPPED, f"key {secret}"))
    (row,) = jobs.database.fetch_rows("SELECT result, message FROM jobs")
    assert secret not in f"{row}"


@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["claim", "fence", "back", "save", "cancel"]), st.integers(0, 2)),
        max_size=12,
    )
)
def test_at_most_one_result_counts_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    with open_database(tmp_path_factory.mktemp("state"), "") as database:
        jobs = JobStore(database)
        jobs.create_job(JOB)
        tokens: dict[int, int] = {}
        saved, ended = set[int](), 0
        for what, who in steps:
            before = jobs.load_job("j1")
            if what == "claim" and (found := jobs.claim_job("j1", f"w{who}")):
                tokens[who] = found.token
            elif what == "fence":
                jobs.fence_job("j1", f"w{who}")
            elif what == "back" and who in tokens:
                jobs.hand_back("j1", tokens[who], "")
            elif what == "save" and who in tokens:
                saved |= {tokens[who]} if jobs.save_end("j1", tokens[who], END) else set()
            elif what == "cancel":
                jobs.cancel_job("j1")
            after = jobs.load_job("j1")
            assert after.token >= before.token
            ended += (before.status, after.status) != (JobStatus.ENDED, JobStatus.ENDED) and (
                after.status is JobStatus.ENDED
            )
            assert (after.end is None) == (after.status is not JobStatus.ENDED)
        assert len(saved) <= 1
        assert ended <= 1


# ---- workers and their locks

HOLDS = """
import sys, time
from pathlib import Path
from orchestrator.storage.opening import open_database
from orchestrator.storage.process_locks import hold_lock
from orchestrator.tasks.fleet.workers import WorkerStore
with open_database(Path(sys.argv[1])) as database:
    lock = hold_lock(database, sys.argv[2])
    WorkerStore(database).register_worker(sys.argv[2], "2", 2)
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def holder(database: Database) -> Iterator["subprocess.Popen[bytes]"]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS, database.directory, 'odd "{name}, \\'],
        stdout=subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_a_lock_ends_with_its_process(
    database: Database, holder: "subprocess.Popen[bytes]"
) -> None:
    name = 'odd "{name}, \\'
    assert find_free(database, [name, "nobody"]) == {"nobody"}
    with pytest.raises(InfrastructureError, match="another process holds the lock"):
        hold_lock(database, name)
    (worker,) = WorkerStore(database).list_workers()
    assert worker.is_alive
    holder.kill()
    holder.wait()
    deadline = datetime.now(UTC) + timedelta(seconds=10)
    while not is_free(database, name):
        assert datetime.now(UTC) < deadline
    (worker,) = WorkerStore(database).list_workers()
    assert not worker.is_alive
    hold_lock(database, name).release()


def test_a_lock_is_taken_again_after_the_connection_broke(
    database: Database, each_database: str
) -> None:
    lock = hold_lock(database, "w1")
    assert not is_free(database, "w1")
    if each_database == "postgres":
        database.fetch_rows(
            "SELECT pg_terminate_backend(pid, 9999) FROM pg_locks WHERE locktype = 'advisory'"
            " AND pid <> pg_backend_pid()"
        )
        assert is_free(database, "w1")
    assert lock.is_held()
    assert not is_free(database, "w1")
    lock.release()
    deadline = time.monotonic() + 10  # the server ends a session a moment after its client
    while not is_free(database, "w1"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert list((database.directory / "locks").glob("process-*")) == []


def test_ids_of_workers_are_never_the_same() -> None:
    found = {create_worker_id() for _ in range(1000)}
    assert len(found) == 1000
    assert all(each.replace("-", "").isalnum() for each in found)


def test_workers_that_ended_are_not_listed_and_forgotten_later(database: Database) -> None:
    workers = WorkerStore(database)
    workers.register_worker("w1", "2", 3)
    workers.see_worker("w1", WorkerState.DRAINING)
    (found,) = workers.list_workers()
    assert (found.state, found.lanes, found.is_alive) == (WorkerState.DRAINING, 3, False)
    workers.see_worker("w1", WorkerState.ENDED)
    assert workers.list_workers() == []
    stored = "SELECT state FROM workers"
    assert database.fetch_rows(stored) == [(WorkerState.ENDED,)]
    workers.forget_workers(datetime.now(UTC) - timedelta(days=1))
    assert len(database.fetch_rows(stored)) == 1
    workers.forget_workers(datetime.now(UTC) + timedelta(days=1))
    assert database.fetch_rows(stored) == []


def test_jobs_are_listed_with_their_worker(database: Database, jobs: JobStore) -> None:
    WorkerStore(database).register_worker("w1", "2", 1)
    jobs.claim_job("j1", "w1")
    (found,) = WorkerStore(database).list_workers()
    assert found.jobs == ("j1",)
