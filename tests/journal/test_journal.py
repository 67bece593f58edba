"""Journals: a finished step is never repeated and a failed one is, in other processes too."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.exc import IntegrityError

from orchestrator.errors import ConfigError, InfrastructureError, LostRunError, UsageError
from orchestrator.journal.database import DATABASE, resolve_workflows_url
from orchestrator.journal.durable import DurableWorkflow
from orchestrator.journal.fenced import FencedJournal
from orchestrator.journal.memory import MemoryJournal
from orchestrator.loop.values import BlockedError
from orchestrator.models import Snapshot
from orchestrator.ports import Journal
from orchestrator.storage.state_directory import URL_VARIABLE
from orchestrator.suites.fake import make_report
from orchestrator.verdict.suite_obstacle import Obstacle

DIES = """
import contextlib, os, sys
from pathlib import Path
from orchestrator.journal.durable import DurableWorkflow
from orchestrator.models import Snapshot

def body(run, open_journal):
    journal = open_journal()
    for name in sys.argv[2:]:
        def work(name=name):
            print(name, flush=True)
            if name == "die":
                os.kill(os.getpid(), 9)
            if name == "fails":
                raise OSError
            return Snapshot(name)
        with contextlib.suppress(OSError):
            journal.step(name, work)
    return "done"

DIES = DurableWorkflow("dies", body)
"""
CARRIES = 'DIES.execute("run", Path(sys.argv[1]))'
EXECUTES_AGAIN = """
from dbos import DBOS
from orchestrator.journal.durable import _engine

with _engine.use_database(Path(sys.argv[1])):
    dead = DBOS.get_workflow_status("run.1").executor_id
    (handle,) = DBOS._recover_pending_workflows([dead])
    assert handle.get_result() == "done"
"""
ASKS_OF_QUEUE = """
from dbos import DBOS
from orchestrator.journal.durable import _engine

with _engine.use_database(Path(sys.argv[1])):
    DBOS.register_queue("jobs")
    DBOS.enqueue_workflow("jobs", DIES._execute, "run")
"""
SERVES_QUEUES = """
import threading, time
from orchestrator.journal.durable import _engine

def workers():
    return [each.name for each in threading.enumerate() if each.name.startswith("queue-worker")]

with _engine.use_database(Path(sys.argv[1])):
    while not workers():  # the thread of DBOS's own queue starts last
        time.sleep(0.01)
    print(*workers())
"""


class Bodies:
    """A workflow whose body is given with each execution."""

    def __init__(self, name: str) -> None:
        self._workflow = DurableWorkflow(name, self._execute)
        self._body: Any = None
        self._result: Any = None

    def _execute(self, _run: str, open_journal: Callable[[], Journal]) -> str:
        self._result = self._body(open_journal())
        return "done"

    def execute_run(self, folder: Path, body: Any, run: str = "run") -> Any:
        self._body = body
        assert self._workflow.execute(run, folder) == "done"
        return self._result


BODIES = Bodies("bodies")


class RunJournals:
    """Opens journals of the same run, one after the other."""

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind, self.folder = kind, folder
        self.memory = MemoryJournal()

    def execute_run(self, body: Any) -> Any:
        if self.kind == "memory":
            return body(self.memory)
        return BODIES.execute_run(self.folder, body)


@pytest.fixture(params=["memory", "durable"])
def journals(request: pytest.FixtureRequest, tmp_path: Path) -> RunJournals:
    return RunJournals(request.param, tmp_path)


def fail() -> Snapshot:
    pytest.fail("done twice")


def test_a_finished_step_is_never_repeated(journals: RunJournals) -> None:
    def first(journal: Journal) -> None:
        assert journal.step("a", lambda: Snapshot("tree")) == Snapshot("tree")
        assert journal.step("nothing", lambda: None) is None

    def second(journal: Journal) -> Snapshot:
        assert journal.step("nothing", fail) is None
        return journal.step("a", fail)

    journals.execute_run(first)
    assert journals.execute_run(second) == Snapshot("tree")
    assert journals.execute_run(second) == Snapshot("tree")


def test_a_failed_step_raises_its_own_error_and_is_repeated(journals: RunJournals) -> None:
    def broken() -> Snapshot:
        raise BlockedError(make_report(failed=["x"]), Obstacle("no", "yes"))

    def first(journal: Journal) -> None:
        with pytest.raises(BlockedError) as caught:
            journal.step("a", broken)
        assert caught.value.report == make_report(failed=["x"])
        journal.step("b", lambda: Snapshot("b"))

    def second(journal: Journal) -> None:
        assert journal.step("a", lambda: Snapshot("a")) == Snapshot("a")
        assert journal.step("b", fail) == Snapshot("b")

    journals.execute_run(first)
    journals.execute_run(second)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError, SystemExit])
def test_an_interrupted_run_continues(journals: RunJournals, error: type[BaseException]) -> None:
    def first(journal: Journal) -> None:
        journal.step("a", lambda: Snapshot("a"))
        journal.step("b", broken)

    def broken() -> Snapshot:
        raise error

    with pytest.raises(error):
        journals.execute_run(first)
    assert journals.execute_run(lambda journal: journal.step("a", fail)) == Snapshot("a")
    assert journals.execute_run(lambda j: j.step("b", lambda: Snapshot("b"))) == Snapshot("b")


def test_an_interrupted_resume_loses_nothing(journals: RunJournals) -> None:
    def whole(journal: Journal) -> None:
        journal.step("a", lambda: Snapshot("a"))
        journal.step("b", lambda: Snapshot("b"))

    def catching_up(journal: Journal) -> None:
        journal.step("a", fail)
        raise KeyboardInterrupt

    journals.execute_run(whole)
    with pytest.raises(KeyboardInterrupt):
        journals.execute_run(catching_up)
    assert journals.execute_run(lambda journal: journal.step("b", fail)) == Snapshot("b")


def test_a_step_of_a_former_owner_does_not_count() -> None:
    owner, inner = ["this process"], MemoryJournal()

    def require_owner() -> None:
        if owner != ["this process"]:
            raise LostRunError("run")

    def lose() -> Snapshot:
        owner.append("another")
        return Snapshot("late")

    journal = FencedJournal(inner, require_owner)
    assert journal.step("a", lambda: Snapshot("a")) == Snapshot("a")
    for function in (lose, fail):  # one that is discarded, and one that is not started
        with pytest.raises(LostRunError):
            journal.step("b", function)
    assert inner.results == {"a": Snapshot("a")}


def test_runs_do_not_see_each_other(tmp_path: Path) -> None:
    def a(tree: str) -> Any:
        return lambda journal: journal.step("a", lambda: Snapshot(tree))

    for run in ("one", "two", "one.1"):
        assert BODIES.execute_run(tmp_path, a(run), run) == Snapshot(run)


def execute(folder: Path, last: str, *names: str) -> "subprocess.CompletedProcess[bytes]":
    """Execute steps in another process; `last` is the end of its script."""
    return subprocess.run(
        [sys.executable, "-c", f"{DIES}\n{last}", str(folder), *names],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        check=False,
    )


def test_what_a_killed_process_finished_stays_finished(tmp_path: Path) -> None:
    killed = execute(tmp_path, CARRIES, "a", "b", "die", "c")
    assert killed.returncode == -signal.SIGKILL
    assert killed.stdout.split() == [b"a", b"b", b"die"]
    after = execute(tmp_path, CARRIES, "a", "b", "c")
    assert (after.returncode, after.stdout.split()) == (0, [b"c"])


def test_a_workflow_that_dbos_executes_again_repeats_nothing(tmp_path: Path) -> None:
    execute(tmp_path, CARRIES, "a", "fails", "b", "die", "c")
    after = execute(tmp_path, EXECUTES_AGAIN, "a", "fails", "b", "c", "d")
    assert (after.returncode, after.stdout.split()) == (0, [b"fails", b"c", b"d"]), after.stderr


def test_no_queue_is_served(tmp_path: Path) -> None:
    asked = execute(tmp_path, ASKS_OF_QUEUE)
    assert (asked.returncode, asked.stderr) == (0, b"")
    after = execute(tmp_path, SERVES_QUEUES)
    assert after.stdout.split() == [b"queue-worker-_dbos_internal_queue"], after.stderr


def test_a_workflow_that_another_process_has_started_is_not_waited_for(tmp_path: Path) -> None:
    def body(_journal: Journal) -> None:
        with pytest.raises(UsageError, match="another process is starting run run"):
            thread(lambda: BODIES.execute_run(tmp_path, fail))

    def thread(function: Callable[[], object]) -> None:
        with ThreadPoolExecutor(1) as pool:
            pool.submit(function).result()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("orchestrator.journal.durable._iter_workflows", lambda _run: iter(()))
        BODIES.execute_run(tmp_path, body)


def test_a_former_owner_is_stopped_at_its_next_step(tmp_path: Path) -> None:
    done = []

    def body(journal: Journal) -> None:
        journal.step("a", lambda: Snapshot("a"))
        taken = execute(tmp_path, CARRIES, "a", "b")
        assert (taken.returncode, taken.stdout.split()) == (0, [b"b"]), taken.stderr
        journal.step("c", lambda: done.append("c"))

    with pytest.raises(LostRunError, match="another process has taken over run run"):
        BODIES.execute_run(tmp_path, body)
    assert done == []


def test_the_database_may_be_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    assert resolve_workflows_url(tmp_path) == f"sqlite:///{tmp_path / DATABASE}"
    monkeypatch.setenv(URL_VARIABLE, "postgresql://me@host/runs")
    assert resolve_workflows_url(tmp_path) == "postgresql://me@host/runs"
    monkeypatch.setenv(URL_VARIABLE, "mysql://me:hunter2hunter2@host/runs")
    with pytest.raises(ConfigError, match="is not the URL of a Postgres database") as caught:
        resolve_workflows_url(tmp_path)
    assert "hunter2" not in str(caught.value)


def test_a_server_that_cannot_be_reached_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(URL_VARIABLE, "postgresql://me:hunter2hunter2@127.0.0.1:9/runs")
    with pytest.raises(InfrastructureError, match="cannot be used") as caught:
        BODIES.execute_run(tmp_path, fail)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_sqlite_of_any_age_gives_the_time_that_dbos_asks_for(tmp_path: Path) -> None:
    """The default of DBOS's columns on Python 3.12 and later, which 3.11 may find in a file."""
    BODIES.execute_run(tmp_path, lambda _: None)
    engine = create_engine(f"sqlite:///{tmp_path / 'made.sqlite'}")
    before = time.time_ns() // 1_000_000
    with engine.begin() as database:
        column = "at INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000)"
        database.execute(text(f"CREATE TABLE made (name TEXT, {column})"))
        database.execute(text("INSERT INTO made (name) VALUES ('a')"))
        at = database.execute(text("SELECT at FROM made")).scalar_one()
    engine.dispose()
    assert before - 1 <= at <= time.time_ns() // 1_000_000 + 1


def test_a_database_that_cannot_be_opened_leaves_nothing_running(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / DATABASE).write_bytes(b"this is no database" * 100)
    threads = set(threading.enumerate())
    with pytest.raises(InfrastructureError, match=f"{broken}/{DATABASE} cannot be used"):
        BODIES.execute_run(broken, fail)
    assert set(threading.enumerate()) <= threads
    assert BODIES.execute_run(tmp_path, lambda j: j.step("a", lambda: Snapshot("1"))) == Snapshot(
        "1"
    )
    assert (tmp_path / DATABASE).is_file()


def test_a_wrong_statement_is_not_called_a_full_disk(tmp_path: Path) -> None:
    def body(_journal: Journal) -> None:
        raise IntegrityError("INSERT", None, ValueError("NOT NULL constraint failed"))

    with pytest.raises(IntegrityError):
        BODIES.execute_run(tmp_path, body)
