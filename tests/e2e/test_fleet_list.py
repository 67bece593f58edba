"""A list of thirty tasks, done by two workers of which one is killed in the middle."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.journal import queues
from orchestrator.services.task_lists import start_list
from orchestrator.storage.database import Database
from orchestrator.storage.opening import open_database
from orchestrator.tasks.fleet.models import JobStatus
from orchestrator.tasks.models import ListOptions, ListStatus, TaskState
from tests.services.fleet_world import FAST, ROOT, git
from tests.survivors import list_survivors
from tests.trusting import trust_project

pytestmark = [pytest.mark.whole, pytest.mark.long]
TASKS = [f"T{number:03}" for number in range(1, 31)]
LIST = "".join(f"- [ ] {each} Write the file {each}.txt [P]\n" for each in TASKS)
AGENT = """\
task=$(grep -o 'T0[0-9][0-9].txt' | head -n 1)
echo "$task" >> "$OUT/started"
sleep 0.5
echo "$task" >> "$task"
"""
KILLED_AFTER = 10
"""Runs that have started when a worker dies."""


@pytest.fixture
def work(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "agent.sh").write_text(AGENT, encoding="utf-8")
    settings = {
        "tests": {"framework": "command", "command": "test ! -e red"},
        "agent": {"kind": "command", "command": ["sh", str(tmp_path / "agent.sh")]},
        "learning": {"max_retries": 0},
        "queue": {"fleet_lanes": 4},
    }
    (project / "orchestrator.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (project / "tasks.md").write_text(LIST, encoding="utf-8")
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "start"]):
        git(project, *arguments)
    monkeypatch.setenv("OUT", str(tmp_path))
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-a-key")  # nobody is asked
    monkeypatch.setenv("ORCHESTRATOR_STATE_DIR", str(tmp_path / "state"))
    trust_project(project, tmp_path / "state")
    return tmp_path


def start_worker(work: Path, number: int) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "tests.services.fleet_world", str(work / "state"), "2"]
    with (work / f"worker-{number}.log").open("wb") as log:
        return subprocess.Popen([*argv, json.dumps(FAST)], cwd=ROOT, stdout=log, stderr=log)


@pytest.fixture
def workers(work: Path, each_database: str) -> Iterator[list[subprocess.Popen[bytes]]]:
    del each_database
    found = [start_worker(work, number) for number in (1, 2)]
    yield found
    for each in found:
        each.kill()
        each.wait()


def kill_in_the_middle(work: Path, worker: subprocess.Popen[bytes]) -> None:
    """Kill a worker while it has a job, after some have been done."""
    with open_database(work / "state") as database:
        while True:
            starts = work / "started"
            if starts.exists() and len(starts.read_text().split()) >= KILLED_AFTER:
                query = (
                    "SELECT 1 FROM jobs j JOIN workers w ON w.id = j.worker"
                    " WHERE w.process = ? AND j.status = ?"
                )
                if database.fetch_rows(query, (worker.pid, JobStatus.RUNNING)):
                    break
            time.sleep(0.05)
    os.kill(worker.pid, signal.SIGKILL)


def check_jobs(database: Database) -> None:
    rows = database.fetch_rows("SELECT task, status, deaths, worker FROM jobs")
    assert sorted(task for task, *_ in rows) == TASKS
    assert {status for _, status, *_ in rows} == {JobStatus.ENDED}
    assert sum(deaths for _, _, deaths, _ in rows) >= 1
    assert len({worker for *_, worker in rows}) == 2
    assert queues.list_taken_jobs(database.directory) == []
    assert queues.list_waiting_jobs(database.directory) == []


def test_thirty_tasks_land_once_each_although_a_worker_is_killed(
    project: Path, work: Path, workers: list[subprocess.Popen[bytes]]
) -> None:
    killing = threading.Thread(target=kill_in_the_middle, args=(work, workers[0]), daemon=True)
    killing.start()
    summary = start_list(
        str(project / "tasks.md"),
        project,
        options=ListOptions(queue=True, parallel=4),
        listener=lambda _event: None,
    )
    assert workers[0].wait(timeout=60) == -signal.SIGKILL
    assert summary.record.status is ListStatus.COMPLETE, summary
    assert {each.state for each in summary.tasks} == {TaskState.DONE}
    branch, base = summary.record.branch, summary.record.base
    log = git(project, "log", "--format=%B", f"{base}..{branch}").splitlines()
    landed = [each.removeprefix("Task: ") for each in log if each.startswith("Task: ")]
    assert sorted(landed) == TASKS
    for each in TASKS:
        assert git(project, "show", f"{branch}:{each}.txt") == f"{each}.txt"
    assert (project / "tasks.md").read_text(encoding="utf-8") == LIST.replace("[ ]", "[x]")
    with open_database(work / "state") as database:
        check_jobs(database)
    workers[1].terminate()
    assert workers[1].wait(timeout=120) == 0
    assert list_survivors(work) == []
