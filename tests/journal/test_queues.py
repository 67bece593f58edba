"""The queue: each job once, in order of priority, for workers of its version only."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.journal import queues
from orchestrator.journal.durable import DurableWorkflow, close_engine
from orchestrator.storage.runs import RUN_FORMAT

ROOT = Path(__file__).parents[2]
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "log"


@pytest.fixture
def state(tmp_path: Path, each_database: str) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def start_worker(state: Path, log: Path) -> Iterator[Start]:
    started = []

    def start(
        name: str, lanes: int = 1, seconds: float = 0.1, version: str = ""
    ) -> "subprocess.Popen[bytes]":
        words = [name, lanes, seconds, log, *([version] if version else [])]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.journal.queue_worker", state, *map(str, words)],
            cwd=ROOT,
        )
        started.append(process)
        wait_for(lambda: f"serves {name}" in read(log))
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def read(log: Path) -> list[str]:
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def list_words(log: Path, what: str) -> list[list[str]]:
    return [line.split() for line in read(log) if line.startswith(what)]


def wait_for(condition: Callable[[], object], seconds: float = 200.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)


def enqueue(state: Path, *jobs: str, lanes: int = 20, priority: int = 5) -> None:
    queues.register_queue(state, queues.QueueLimits(lanes), replace=True)
    for job in jobs:
        assert queues.enqueue_job(state, job, priority)


def test_a_job_is_in_the_queue_once(state: Path) -> None:
    enqueue(state, "a")
    assert not queues.enqueue_job(state, "a", 5)
    assert [each.workflow for each in queues.list_waiting_jobs(state)] == ["a.1"]
    assert queues.is_in_queue(state, "a")
    queues.withdraw_job(state, "a")
    assert not queues.is_in_queue(state, "a")
    assert queues.enqueue_job(state, "a", 5)
    assert [each.workflow for each in queues.list_waiting_jobs(state)] == ["a.2"]


@pytest.mark.parametrize(("given", "stored"), [(-3, 1), (0, 1), (1, 1), (9, 9), (40, 9)])
def test_a_job_always_has_a_priority(tmp_path: Path, given: int, stored: int) -> None:
    enqueue(tmp_path, "a", priority=given)
    (entry,) = queues.list_waiting_jobs(tmp_path)
    assert (entry.priority, entry.version, entry.worker) == (stored, RUN_FORMAT, "")


def test_whoever_puts_jobs_in_takes_none(state: Path, log: Path) -> None:
    enqueue(state, "a")
    time.sleep(2.5)  # a worker looks every second
    assert [each.job for each in queues.list_waiting_jobs(state)] == ["a"]


@pytest.mark.whole
def test_the_most_urgent_job_is_first(state: Path, log: Path, start_worker: Start) -> None:
    for job, priority in (("late", 9), ("middle", 5), ("also", 5), ("first", 1)):
        enqueue(state, job, priority=priority)
    close_engine()
    start_worker("w1")
    wait_for(lambda: len(list_words(log, "end")) == 4)
    assert [words[1] for words in list_words(log, "start")] == ["first", "middle", "also", "late"]


@pytest.mark.whole
@pytest.mark.long
def test_each_worker_has_its_own_number_of_lanes(
    state: Path, log: Path, start_worker: Start
) -> None:
    jobs = [f"j{number}" for number in range(10)]
    start_worker("narrow", 1, 1.5)
    start_worker("wide", 3, 1.5)
    enqueue(state, *jobs)
    wait_for(lambda: len(list_words(log, "end")) == len(jobs))
    assert sorted(words[1] for words in list_words(log, "start")) == sorted(jobs)
    assert count_together(log, "narrow") == 1
    assert count_together(log, "wide") == 3


@pytest.mark.whole
def test_the_fleet_has_a_limit(state: Path, log: Path, start_worker: Start) -> None:
    jobs = [f"j{number}" for number in range(6)]
    enqueue(state, *jobs, lanes=2)
    start_worker("w1", 3, 0.7)
    start_worker("w2", 3, 0.7)
    wait_for(lambda: len(list_words(log, "end")) == len(jobs))
    assert count_together(log, "") <= 2


def count_together(log: Path, worker: str) -> int:
    running = most = 0
    for line in read(log):
        what, *words = line.split()
        if what in ("start", "end") and worker in words[1]:
            running += 1 if what == "start" else -1
            most = max(most, running)
    return most


@pytest.mark.whole
def test_starts_are_limited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "_HOUR", 600.0)
    log = tmp_path / "log"
    queues.register_queue(tmp_path, queues.QueueLimits(20, starts_per_hour=2), replace=True)
    for job in ("a", "b", "c"):
        queues.enqueue_job(tmp_path, job, 5)
    words = [tmp_path, "w1", "3", "0.1", log]
    worker = subprocess.Popen(
        [sys.executable, "-m", "tests.journal.queue_worker", *map(str, words)], cwd=ROOT
    )
    try:
        wait_for(lambda: len(list_words(log, "end")) == 2)
        time.sleep(3)
        assert len(list_words(log, "start")) == 2
    finally:
        worker.kill()
        worker.wait()


@pytest.mark.whole
@pytest.mark.long
def test_a_dead_worker_holds_up_nobody_once_its_job_is_returned(
    state: Path, log: Path, start_worker: Start
) -> None:
    dies = start_worker("w1", 1, 600)
    enqueue(state, "a", lanes=1, priority=3)
    enqueue(state, "b", lanes=1)
    wait_for(lambda: list_words(log, "start"))
    os.kill(dies.pid, signal.SIGKILL)
    start_worker("w2", 1, 0.1)
    time.sleep(2.5)
    assert len(list_words(log, "start")) == 1  # so DBOS does it: the limit is used up by the dead
    (entry,) = queues.list_taken_jobs(state)
    assert (entry.job, entry.worker, entry.priority) == ("a", "w1", 3)
    assert queues.return_job(state, entry)
    assert not queues.return_job(state, entry)
    wait_for(lambda: len(list_words(log, "end")) == 2)
    assert [words[1:3] for words in list_words(log, "end")] == [["a", "w2"], ["b", "w2"]]


@pytest.mark.whole
@pytest.mark.long
def test_a_job_waits_for_a_worker_of_its_version(
    state: Path, log: Path, start_worker: Start
) -> None:
    enqueue(state, "a")
    start_worker("newer", 1, 0.1, "999")  # the latest version, as far as DBOS knows
    time.sleep(2.5)
    assert list_words(log, "start") == []
    enqueue(state, "b")
    start_worker("same", 1, 0.1)
    wait_for(lambda: len(list_words(log, "end")) == 2)
    assert {words[2] for words in list_words(log, "start")} == {"same"}


def test_a_process_that_executes_a_run_takes_no_jobs(tmp_path: Path) -> None:
    def body(_run: str, _open: object) -> str:
        service = queues.JobService(1, lambda _job: None)
        with (
            pytest.raises(UsageError, match=r"executing a run of .* cannot take jobs"),
            queues.serve_queue(tmp_path, "w1", service, queues.QueueLimits(1)),
        ):
            pass
        return "done"

    assert DurableWorkflow("refusing", body).execute("run", tmp_path) == "done"


def test_a_worker_may_use_the_same_database_otherwise(tmp_path: Path) -> None:
    service = queues.JobService(1, lambda _job: None)
    with queues.serve_queue(tmp_path, "w1", service, queues.QueueLimits(1)):
        assert queues.list_waiting_jobs(tmp_path) == []
        with pytest.raises(UsageError, match="cannot use"):
            queues.list_waiting_jobs(tmp_path / "other")
