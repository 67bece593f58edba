"""Work on the jobs of a list in workers that are killed between every two writes.

`python -m tests.faults.worker_killer FOLDER PART PARTS`, for `test_worker_kills`. The process of
the list lives; its suites, git, the runs and their agent are real. A worker is a fork, so that the
imports are paid for once. It dies before its n-th write, the next one before a write of its reaper
or a later one, and the third does what is left.
"""

import json
import os
import shutil
import sys
import threading
import time
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any, Final

from sqlalchemy import event
from sqlalchemy.engine import Engine

from orchestrator.journal import durable, queues
from orchestrator.journal.queues import QueueLimits
from orchestrator.models import RunOutcome
from orchestrator.services import lane_child, queue_runner, worker_jobs
from orchestrator.services.task_lists import start_list
from orchestrator.services.task_views import summarize_list
from orchestrator.services.workers import StopRequest, WorkerOptions, WorkerTimes, run_worker
from orchestrator.storage.database import Database
from orchestrator.storage.location import STATE_VARIABLE
from orchestrator.storage.opening import open_database
from orchestrator.storage.state_directory import list_folder
from orchestrator.tasks import scheduler
from orchestrator.tasks.fleet.jobs import JobStore, build_ref
from orchestrator.tasks.fleet.models import JobStatus
from orchestrator.tasks.models import ListOptions, ListStatus, TaskState
from tests.e2e.list_world import git
from tests.faults.list_killer import Killer
from tests.rulebook.writers import fork, reap
from tests.survivors import list_survivors
from tests.trusting import trust_project

TASKS: Final = ("T001", "T002")
LIST: Final = "".join(f"- [ ] {each} Write the file {each}.txt [P]\n" for each in TASKS)
AGENT: Final = """\
task=$(grep -o 'T00[0-9].txt' | head -n 1)
echo "$task" >> "$OUT/started"
setsid sleep 600 </dev/null >/dev/null 2>&1 &
echo "$task" >> "$task"
"""
LATER: Final = (3, 5, 8, 12, 18, 27)
"""Before which of its writes the second worker dies, one after the other."""
TIMES: Final = WorkerTimes(poll=0.3, seen=600.0, reap=0.5, reconnect=0.0)
"""No sign of life after the first: the n-th write is the same one each time."""
_SAVES: Final = (
    "CREATE TABLE test_saves (job TEXT, token INTEGER)",
    "CREATE TRIGGER test_save AFTER UPDATE OF result ON jobs WHEN NEW.result <> '' BEGIN"
    " INSERT INTO test_saves VALUES (NEW.id, NEW.token); END",
)
BOUNDARIES: Final = frozenset(
    {
        *("commit", "DBOS insert", "DBOS update", "git fetch", "git update-ref", "git push"),
        *("start of the run", "agent at work", "end of the run"),
    }
)
"""What a worker that does all jobs is counted to do, at least."""
_LEFT_SECONDS: Final = 30.0


# ---- what kills


class WorkerKiller(Killer):
    """Counts what others see: commits of ours and of DBOS, what git writes, and processes."""

    def install(self) -> None:
        """Count from now on."""
        super().install()
        execute, report = lane_child.RunChild.execute, lane_child.RunChild._report_event

        def count_run(child: lane_child.RunChild) -> int:
            self.count("start of the run")
            code = execute(child)
            self.count("end of the run")
            return code

        def count_attempt(child: lane_child.RunChild, line: bytes) -> None:
            if b'"attempt_started"' in line:
                self.count("agent at work")
            report(child, line)

        def count_commit(connection: Any) -> None:
            if written := connection.info.pop("written", ""):
                self.count(f"DBOS {written}")

        lane_child.RunChild.execute = count_run  # type: ignore[assignment,method-assign]
        lane_child.RunChild._report_event = count_attempt  # type: ignore[assignment,method-assign]
        event.listen(Engine, "after_cursor_execute", _note_statement)
        event.listen(Engine, "commit", count_commit)

    def _name_path(self, name: str, args: tuple[object, ...]) -> str:
        """Return nothing: renamed files are those of lanes, see `test_list_kills`."""
        return ""


def _note_statement(connection: Any, cursor: Any, statement: str, *_: object) -> None:
    word = statement.split(maxsplit=1)[0].lower()
    if word in ("insert", "update", "delete") and cursor.rowcount:
        connection.info["written"] = word


# ---- one list


def prepare(folder: Path) -> None:
    """Make a project with a list, and a state directory that counts the results of jobs."""
    shutil.rmtree(folder, ignore_errors=True)
    project = folder / "project"
    project.mkdir(parents=True)
    (folder / "agent.sh").write_text(AGENT, encoding="utf-8")
    settings = {
        "tests": {"framework": "command", "command": "test ! -e red"},
        "agent": {"kind": "command", "command": ["sh", str(folder / "agent.sh")]},
        "learning": {"max_retries": 0},
        "queue": {"fleet_lanes": 1},
    }
    (project / "orchestrator.yaml").write_text(json.dumps(settings), encoding="utf-8")
    (project / "tasks.md").write_text(LIST, encoding="utf-8")
    git(project, "init", "-q", "-b", "main")
    git(project, "add", "-A")
    git(project, "commit", "-q", "-m", "start")
    os.environ.update({STATE_VARIABLE: str(folder / "state"), "OUT": str(folder)})

    def prepare_state() -> None:
        trust_project(project, folder / "state")
        with open_database(folder / "state") as database:
            for statement in _SAVES:
                database.write(statement)

    # In a fork: this process has no database open when it forks.
    assert not reap(fork(prepare_state))


def work_on_list(folder: Path) -> None:
    """Do a list whose tasks workers do, and let these end."""
    summary = start_list(
        str(folder / "project/tasks.md"),
        folder / "project",
        options=ListOptions(queue=True, parallel=len(TASKS)),
        listener=lambda _event: None,
    )
    assert summary.record.status is ListStatus.COMPLETE, summary


def work_on_jobs(folder: Path, at: int) -> None:
    """Be a worker that dies before its n-th write; with 0, until the list has ended."""
    stop = StopRequest()

    def stop_at_end() -> None:
        while not (folder / "over").exists():
            time.sleep(0.05)
        stop.request()

    threading.Thread(target=stop_at_end, daemon=True).start()
    killer = WorkerKiller(folder, at)
    killer.install()
    with (folder / "workers.log").open("a", encoding="utf-8", buffering=1) as log:
        options = WorkerOptions(1, QueueLimits(1), times=TIMES)
        run_worker(
            folder / "state", options, stop, lambda line: _write(log, line), dict(os.environ)
        )

    (folder / "labels").write_text("\n".join(killer.labels), encoding="utf-8")


def _write(log: Any, line: str) -> None:
    log.write(f"{os.getpid()}: {line}\n")


def kill_and_finish(folder: Path, kills: tuple[int, ...]) -> list[str]:
    """Do a new list with workers that are killed; check it, and return where they died."""
    prepare(folder)
    tasks = fork(lambda: work_on_list(folder))
    killed = []
    try:
        for at in (*kills, 0):
            worker = fork(partial(work_on_jobs, folder, at))
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            assert found
            if found.si_pid == tasks:
                break
            assert reap(worker), (folder / "workers.log").read_text(encoding="utf-8")
            killed.append((folder / "killed").read_text(encoding="utf-8"))
    except BaseException:
        os.kill(tasks, 9)
        raise
    assert not reap(tasks)
    (folder / "over").touch()
    # It may die now, as it drains.
    killed += [(folder / "killed").read_text(encoding="utf-8")] if reap(worker) else []
    assert not reap(fork(lambda: check(folder, len(killed))))
    return killed


def check(folder: Path, kills: int) -> None:
    """Check a list that has ended, its jobs, and what workers have left."""
    project, state = folder / "project", folder / "state"
    summary = summarize_list("last", project)
    assert {each.state for each in summary.tasks} == {TaskState.DONE}, summary
    record = summary.record
    log = git(project, "log", "--format=%B", f"{record.base}..{record.branch}").splitlines()
    landed = [each.removeprefix("Task: ") for each in log if each.startswith("Task: ")]
    assert sorted(landed) == list(TASKS), landed
    for each in TASKS:
        assert git(project, "show", f"{record.branch}:{each}.txt").split() == [f"{each}.txt"]
    assert (project / "tasks.md").read_text("utf-8") == LIST.replace("[ ]", "[x]")
    with open_database(state) as database:
        check_jobs(database, list_folder(state, record.id) / "repository.git", kills)
    starts = (folder / "started").read_text(encoding="utf-8").split()
    assert len(TASKS) <= len(starts) <= len(TASKS) + kills, starts
    git(project, "fsck", "--strict")
    # Neither a run nor what its agent has started.
    assert list_survivors(folder, _LEFT_SECONDS) == []


def check_jobs(database: Database, repository: Path, kills: int) -> None:
    """Check that each job has one result, with the latest token, whose commit is there."""
    rows = database.fetch_rows("SELECT id, task FROM jobs ORDER BY task")
    assert [task for _, task in rows] == list(TASKS), rows
    found = [JobStore(database).load_job(str(job)) for job, _ in rows]
    for each in found:
        assert (each.status, each.end and each.end.outcome) == (
            *(JobStatus.ENDED, RunOutcome.SOLVED),
        ), each
        assert each.end
        ref = build_ref(each.id, each.token, "work")
        assert git(repository, "rev-parse", ref).strip() == each.end.work
    saves = database.fetch_rows("SELECT job, token FROM test_saves ORDER BY job")
    assert saves == sorted((each.id, each.token) for each in found), saves
    assert sum(each.deaths for each in found) <= kills
    git(repository, "fsck", "--strict")
    # A worker that died after it had saved the result is found by the next that looks.
    taken = queues.list_taken_jobs(database.directory)
    assert len(taken) <= kills, taken
    assert queues.list_waiting_jobs(database.directory) == []


def hurry() -> None:
    """Let nothing wait longer than it must."""
    durable._WORKER_POLL_SECONDS = 0.1  # type: ignore[misc]
    queues._POLL_SECONDS = 0.1  # type: ignore[misc]
    queue_runner._POLL_SECONDS = 0.05  # type: ignore[misc]
    worker_jobs._CHILD_POLL = 0.02  # type: ignore[misc]
    scheduler._POLL_SECONDS = 0.01  # type: ignore[misc]


def main(folder: str, part: str, parts: str) -> None:
    """Kill before each n-th write of a worker, and again in the one that takes over."""
    top, at, step = Path(folder).resolve(), int(part) + 1, int(parts)
    os.environ.update(HOME=str(top / "home"), ANTHROPIC_API_KEY="sk-not-a-key")
    (top / "home").mkdir()
    hurry()
    killed, lists = Counter[str](), 0
    while found := kill_and_finish(top / "list", (at, LATER[lists % len(LATER)])):
        print(at, *found, sep="; ", file=sys.stderr, flush=True)
        killed.update(found)
        lists += 1
        at += step
    # The first worker of the last list did all of it.
    labels = (top / "list/labels").read_text(encoding="utf-8").splitlines()
    assert set(labels) >= BOUNDARIES, labels
    print(json.dumps({"kills": killed, "lists": lists}))


if __name__ == "__main__":
    main(*sys.argv[1:])
