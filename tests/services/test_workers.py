"""Workers as real processes: they do jobs, die, wake up, drain, and are cancelled."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.journal import queues
from orchestrator.models import RunOutcome
from orchestrator.services.queue_runner import cancel_jobs
from orchestrator.storage.process_locks import hold_lock, is_free
from orchestrator.tasks.fleet.models import JobStatus, WorkerState
from orchestrator.tasks.models import TaskEnd
from tests.services.fleet_world import LIST, FleetWorld, git, make_project, open_fleet

pytestmark = pytest.mark.whole
SOLVE = "write word.txt right"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")  # nobody is asked


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def fleet(project: Path, tmp_path: Path, out: Path, each_database: str) -> Iterator[FleetWorld]:
    make_project(project, out, queue={"fleet_lanes": 1})
    with open_fleet(project, tmp_path / "state", out) as world:
        yield world


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.long
def test_a_worker_does_a_job_and_its_commits_come_back(fleet: FleetWorld) -> None:
    fleet.start("j1", f"{SOLVE}\nwrite new.txt new")
    fleet.start_worker()
    end = fleet.wait("j1")
    assert end.outcome is RunOutcome.SOLVED, (end, fleet.read_log(0))
    assert end.changed == ("new.txt", "word.txt")
    assert fleet.repository.read_ref("refs/orchestrator/work/j1") == end.work
    assert fleet.repository.read_file(end.work, "word.txt") == b"right\n"
    assert fleet.repository.resolve(f"{end.work}^") == fleet.base
    fleet.start("j1", SOLVE)  # by a list that is resumed: nothing happens twice
    assert fleet.wait("j1") == end
    (worker,) = fleet.workers.list_workers()
    assert (worker.is_alive, worker.jobs, worker.state) == (True, (), WorkerState.SERVING)


def test_the_job_of_a_dead_worker_is_done_by_another_with_a_limit_of_one(
    fleet: FleetWorld,
) -> None:
    fleet.start("j1", f"note starts\ndaemon daemon\nawait go\n{SOLVE}")
    first = fleet.start_worker()
    fleet.wait_for((fleet.out / "daemon").exists)
    fleet.start("j2", SOLVE)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    fleet.start_worker()
    fleet.wait_for(lambda: len(fleet.read_notes("starts")) == 2)
    agent, daemon = fleet.read_notes("starts")[0], fleet.read_notes("daemon")[0]
    assert not is_alive(agent)
    del daemon  # the second agent has written another
    (fleet.out / "go").touch()
    assert fleet.wait("j1").outcome is RunOutcome.SOLVED
    assert fleet.wait("j2").outcome is RunOutcome.SOLVED
    found = fleet.jobs.load_job("j1")
    assert (found.deaths, found.token) == (1, 3)  # claimed, fenced, claimed


def test_the_result_of_a_worker_that_was_taken_for_dead_is_dropped(fleet: FleetWorld) -> None:
    fleet.start("j1", f"note starts\nawait go\n{SOLVE}\nwrite by.txt agent")
    zombie = fleet.start_worker()
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    os.kill(zombie.pid, signal.SIGSTOP)
    fleet.start_worker(stale=2.0)
    fleet.wait_for(lambda: len(fleet.read_notes("starts")) == 2)
    (fleet.out / "go").touch()
    end = fleet.wait("j1")
    assert end.outcome is RunOutcome.SOLVED
    token = fleet.jobs.load_job("j1").token
    os.kill(zombie.pid, signal.SIGCONT)
    fleet.wait_for(lambda: "dropped" in fleet.read_log(0))
    assert (fleet.jobs.load_job("j1").end, fleet.jobs.load_job("j1").token) == (end, token)
    pushed = fleet.repository.list_refs("refs/orchestrator/jobs/j1")
    assert {ref for ref in pushed if ref.endswith("work")} == {
        f"refs/orchestrator/jobs/j1/{token}/work"
    }


@pytest.mark.long
def test_a_job_that_kills_its_workers_is_not_started_a_fourth_time(fleet: FleetWorld) -> None:
    fleet.start("j1", "note starts\nkill-worker")
    fleet.start("j2", SOLVE)
    for _ in range(3):
        fleet.start_worker().wait(timeout=120)
    fleet.start_worker()
    end = fleet.wait("j1")
    assert (end.outcome, "3 workers or processes" in end.message) == (RunOutcome.NOT_SOLVED, True)
    assert fleet.wait("j2").outcome is RunOutcome.SOLVED
    assert len(fleet.read_notes("starts")) == 3


@pytest.mark.long
def test_a_job_whose_run_is_killed_is_not_started_a_fourth_time(fleet: FleetWorld) -> None:
    fleet.start("j1", "note starts\nkill-run")
    fleet.start_worker()
    end = fleet.wait("j1")
    assert (end.outcome, "3 workers or processes" in end.message) == (RunOutcome.NOT_SOLVED, True)
    assert len(fleet.read_notes("starts")) == 3
    fleet.start("j1", "")  # by a list that is resumed
    assert fleet.wait("j1") == end


@pytest.mark.long
def test_what_a_job_has_reached_before_it_was_cancelled_is_its_result(fleet: FleetWorld) -> None:
    fleet.start("j1", SOLVE)
    owner = fleet.jobs.claim_job("j1", "w1")
    assert owner
    lock = hold_lock(fleet.database, "w1")
    fleet.runner.interrupt("j1")  # Ctrl-C at the list in the last second of the agent
    solved = TaskEnd(RunOutcome.SOLVED, work=fleet.base, cost_usd=0.5)
    assert fleet.jobs.save_end("j1", owner.token, solved)
    lock.release()
    fleet.resume()
    fleet.start("j1", SOLVE)
    assert fleet.wait("j1") == solved


@pytest.mark.long
def test_a_job_without_a_limit_of_money_is_done(fleet: FleetWorld) -> None:
    fleet.start("j1", SOLVE, max_cost_usd=0.0)
    fleet.start_worker()
    assert fleet.wait("j1").outcome is RunOutcome.SOLVED


@pytest.mark.long
def test_all_jobs_of_a_list_are_cancelled_whoever_lives(fleet: FleetWorld) -> None:
    fleet.start("j1", "note starts\nawait never")
    fleet.start("j2", SOLVE)
    worker = fleet.start_worker()
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    worker.kill()
    worker.wait()
    owner = fleet.jobs.load_job("j1").worker
    fleet.wait_for(lambda: is_free(fleet.database, owner))
    assert cancel_jobs(fleet.database, "another") == 0
    assert cancel_jobs(fleet.database, LIST) == 2
    for job in ("j1", "j2"):
        end = fleet.jobs.load_job(job).end
        assert end
        assert end.outcome is RunOutcome.INTERRUPTED
    assert queues.list_waiting_jobs(fleet.state) == queues.list_taken_jobs(fleet.state) == []
    assert cancel_jobs(fleet.database, LIST) == 0
    fleet.resume()  # `tasks resume` goes on with it after all
    fleet.start("j2", SOLVE)
    fleet.start_worker()
    assert fleet.wait("j2").outcome is RunOutcome.SOLVED


@pytest.mark.long
def test_a_worker_that_drains_ends_its_job_and_takes_no_other(fleet: FleetWorld) -> None:
    fleet.start("j1", f"note starts\nawait go\n{SOLVE}")
    worker = fleet.start_worker()
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    fleet.start("j2", SOLVE)
    worker.terminate()
    fleet.wait_for(
        lambda: [each.state for each in fleet.workers.list_workers()] == [WorkerState.DRAINING]
    )
    (fleet.out / "go").touch()
    assert fleet.wait("j1").outcome is RunOutcome.SOLVED
    assert worker.wait(timeout=60) == 0
    assert fleet.jobs.load_job("j2").status is JobStatus.QUEUED
    assert fleet.workers.list_workers() == []


@pytest.mark.long
def test_after_the_grace_a_job_is_handed_back_and_nobody_counts_a_death(
    fleet: FleetWorld,
) -> None:
    fleet.start("j1", f"note starts\ndaemon daemon\nawait go\n{SOLVE}")
    worker = fleet.start_worker(grace=0.5)
    fleet.wait_for(lambda: fleet.read_notes("daemon"))
    daemon = fleet.read_notes("daemon")[0]
    worker.terminate()
    assert worker.wait(timeout=60) == 0
    assert not any(map(is_alive, [*fleet.read_notes("starts"), daemon]))
    assert fleet.jobs.load_job("j1").status is JobStatus.QUEUED
    (fleet.out / "go").touch()
    fleet.start_worker()
    assert fleet.wait("j1").outcome is RunOutcome.SOLVED
    assert fleet.jobs.load_job("j1").deaths == 0


@pytest.mark.long
def test_cancelling_a_job_ends_the_processes_of_its_agent(fleet: FleetWorld) -> None:
    fleet.start("j1", "note starts\ndaemon daemon\nawait never")
    fleet.start("j2", "note second")
    fleet.start_worker()
    fleet.wait_for(lambda: fleet.read_notes("daemon"))
    fleet.runner.interrupt("j2")
    assert fleet.wait("j2").outcome is RunOutcome.INTERRUPTED
    fleet.runner.interrupt("j1")
    end = fleet.wait("j1")
    assert (end.outcome, end.message) == (RunOutcome.INTERRUPTED, "it was cancelled")
    assert not any(map(is_alive, fleet.read_notes("starts") + fleet.read_notes("daemon")))
    assert not fleet.read_notes("second")


@pytest.mark.long
def test_a_list_that_is_resumed_gets_the_jobs_that_it_cancelled(fleet: FleetWorld) -> None:
    fleet.start("j1", f"note starts\nawait go\n{SOLVE}")
    fleet.start_worker()
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    fleet.runner.interrupt("j1")  # Ctrl-C at the list, and the list's process ends
    (fleet.out / "go").touch()
    fleet.resume()
    fleet.start("j1", f"note starts\nawait go\n{SOLVE}")
    assert fleet.wait("j1").outcome is RunOutcome.SOLVED


@pytest.mark.long
def test_a_cancelled_job_of_a_dead_worker_ends_without_another_worker(fleet: FleetWorld) -> None:
    fleet.start("j1", "note starts\nawait never")
    worker = fleet.start_worker()
    fleet.wait_for(lambda: fleet.read_notes("starts"))
    worker.kill()
    worker.wait()
    fleet.runner.interrupt("j1")
    assert fleet.wait("j1").outcome is RunOutcome.INTERRUPTED


@pytest.mark.long
def test_code_travels_through_a_bare_mirror_and_a_key_does_not(
    project: Path, tmp_path: Path, out: Path, each_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror = tmp_path / "mirror.git"
    git(tmp_path, "init", "-q", "--bare", str(mirror))
    make_project(project, out, queue={"repository": str(mirror)})
    secret = "https://hooks.example/x?token=" + "s3cr3tvalue" * 4
    environment = {**os.environ, "ORCHESTRATOR_N8N_WEBHOOK_URL": secret}
    with open_fleet(project, tmp_path / "state", out, environment) as fleet:
        fleet.start("j1", SOLVE)
        assert git(mirror, "for-each-ref", "--format=%(refname)") == (
            "refs/orchestrator/jobs/j1/base"
        )
        assert secret not in str(fleet.database.fetch_rows("SELECT * FROM jobs"))
        fleet.start_worker()
        end = fleet.wait("j1")
        assert end.outcome is RunOutcome.MISCONFIGURED, end
        assert "ORCHESTRATOR_N8N_WEBHOOK_URL" in end.message
        fleet.processes[0].terminate()
        fleet.processes[0].wait()
        monkeypatch.setenv("ORCHESTRATOR_N8N_WEBHOOK_URL", secret)
        fleet.start("j2", SOLVE)
        fleet.start_worker()
        end = fleet.wait("j2")
        assert end.outcome is RunOutcome.SOLVED, (end, fleet.read_log(1))
        assert fleet.repository.read_file(end.work, "word.txt") == b"right\n"


@pytest.mark.long
def test_two_workers_do_each_job_once(
    project: Path, tmp_path: Path, out: Path, each_database: str
) -> None:
    make_project(project, out)
    with open_fleet(project, tmp_path / "state", out) as fleet:
        jobs = [f"j{number}" for number in range(6)]
        for job in jobs:
            fleet.start(job, f"note {job}\n{SOLVE}")
        fleet.start_worker()
        fleet.start_worker()
        assert {fleet.wait(job).outcome for job in jobs} == {RunOutcome.SOLVED}
        assert [len(fleet.read_notes(job)) for job in jobs] == [1] * len(jobs)
        assert all("solved" in fleet.read_log(number) for number in (0, 1))
