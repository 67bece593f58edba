"""Two runs in one process, each in a thread: neither touches what is the other's."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from orchestrator import events
from orchestrator.errors import UsageError
from orchestrator.models import AgentOutcome, RunOutcome, RunResult
from orchestrator.platform import process
from orchestrator.platform.child import Child
from orchestrator.platform.children import Children, list_live_marks
from orchestrator.platform.process_tree import end_marked_processes, read_marks
from orchestrator.services.runs import start_run
from orchestrator.services.workflows import Caller, execute_run
from orchestrator.storage.runs import Store
from tests.platform.test_process import alive
from tests.trusting import trust_project

WAITS = """
import pathlib, subprocess, sys, time
me, other = map(pathlib.Path, sys.argv[1:])
me.write_text("here")
daemon = [sys.executable, "-c", "import time; time.sleep(600)"]
left = subprocess.Popen(daemon, start_new_session=True, stdin=-3, stdout=-3, stderr=-3)
me.with_suffix(".daemon").write_text(str(left.pid))
while not other.exists():
    time.sleep(0.02)
pathlib.Path("word.txt").write_text("right\\n")
"""
"""Solves the task once both agents are at work, and leaves a daemon behind."""

SLEEPS = """
import pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text("here")
time.sleep(600)
"""


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "a-key-for-tests")  # nobody is asked


class Side:
    """A project, its agent, and a thread that runs it."""

    def __init__(self, folder: Path, name: str, agent: Sequence[str], **limits: object) -> None:
        self.name, self.project, self.state = name, folder / name, folder / "state"
        self.heard: list[events.Event] = []
        self.result: RunResult | None = None
        self.error: BaseException | None = None
        self.project.mkdir()
        config = {
            "tests": {"framework": "command", "command": "grep -qx right word.txt"},
            "agent": {"kind": "command", "command": list(agent)},
            "learning": {"max_retries": 0},
            "limits": limits,
        }
        (self.project / "orchestrator.yaml").write_text(json.dumps(config), encoding="utf-8")
        trust_project(self.project, self.state)
        (self.project / "word.txt").write_text("wrong\n", encoding="utf-8")
        for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
            subprocess.run(["git", *arguments], cwd=self.project, check=True)
        self.thread = threading.Thread(target=self._run)

    def _run(self) -> None:
        try:
            self.result = start_run(
                f"Put the right word, {self.name}.",
                self.project,
                listener=self.heard.append,
                state=self.state,
            )
        except BaseException as error:  # noqa: BLE001 -- the test looks at it
            self.error = error

    def wait_for(self, path: Path) -> None:
        """Wait until the agent has come as far as to write a file."""
        deadline = time.monotonic() + 120
        while not (path.exists() and path.read_text(encoding="utf-8")):
            assert self.thread.is_alive(), (self.error, self.result)
            assert time.monotonic() < deadline, f"{path} never came"
            time.sleep(0.02)

    def join(self) -> RunResult:
        """Wait for the run, and give what it came to."""
        self.thread.join(240)
        assert self.error is None, self.error
        assert self.result is not None
        return self.result


def python(folder: Path, code: str, *arguments: Path) -> list[str]:
    file = folder / f"{len(list(folder.glob('*.py')))}.py"
    file.write_text(code, encoding="utf-8")
    return [sys.executable, str(file), *map(str, arguments)]


def test_both_solve_and_each_record_is_its_own(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    sides = [
        Side(tmp_path, "one", python(tmp_path, WAITS, here, there)),
        Side(tmp_path, "two", python(tmp_path, WAITS, there, here)),
    ]
    before = dict(os.environ)
    for side in sides:
        side.thread.start()
    assert [side.join().outcome for side in sides] == [RunOutcome.SOLVED] * 2
    assert dict(os.environ) == before
    with Store(tmp_path / "state") as store:
        records = {each.task.project.name: store.load_run(each.id) for each in store.list_runs()}
    for side in sides:
        (started,) = [each for each in side.heard if isinstance(each, events.RunStarted)]
        assert started.run_id == records[side.name].id
        assert started.task.text == f"Put the right word, {side.name}."
        assert records[side.name].result == side.result
        assert sum(isinstance(each, events.RunEnded) for each in side.heard) == 1
    for file in (here, there):
        assert not alive(int(file.with_suffix(".daemon").read_text(encoding="utf-8")))
    assert list_live_marks() == set()


def test_one_that_is_ended_by_its_limits_leaves_the_others_children_alone(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    late = Side(tmp_path, "late", python(tmp_path, SLEEPS, here), wall_clock=1)
    solves = Side(tmp_path, "solves", python(tmp_path, WAITS, there, tmp_path / "go"))
    solves.thread.start()
    solves.wait_for(there)
    late.thread.start()
    result = late.join()
    assert result.attempts[0].agent.outcome is AgentOutcome.WALL_CLOCK
    daemon = there.with_suffix(".daemon")
    solves.wait_for(daemon)
    assert alive(int(daemon.read_text(encoding="utf-8")))
    assert len(list_live_marks()) == 1
    (tmp_path / "go").touch()
    assert solves.join().outcome is RunOutcome.SOLVED
    assert not alive(int(daemon.read_text(encoding="utf-8")))


def test_a_process_uses_one_database_at_a_time(tmp_path: Path) -> None:
    here, go = tmp_path / "here", tmp_path / "go"
    side = Side(tmp_path, "side", python(tmp_path, WAITS, here, go))
    side.thread.start()
    side.wait_for(here)
    with Store(tmp_path / "other"):
        pass
    with pytest.raises(UsageError, match="this process is executing a run of"):
        execute_run("any", Caller(tmp_path / "other"))
    go.touch()
    assert side.join().outcome is RunOutcome.SOLVED


def test_what_is_left_of_a_run_carries_its_mark(tmp_path: Path) -> None:
    children = Children("20261127-000000-abcd")
    with children.collect():
        done = process.capture(["/usr/bin/env"], cwd=tmp_path, env={"A": "b"})
        child = Child(
            [sys.executable, "-c", "import time; time.sleep(600)"],
            cwd=tmp_path,
            on_stdout=print,
            on_stderr=print,
        )
    assert children.mark in done.text
    assert {children.mark, child.mark} <= read_marks(psutil.Process(child.pid))
    assert end_marked_processes(children.mark) == 1
    child.wait()
    assert children.live == ()
