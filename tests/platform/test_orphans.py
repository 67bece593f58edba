"""What a child leaves running is ended, whatever it did to be forgotten."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest

from orchestrator.platform import process
from orchestrator.platform.child import Child
from orchestrator.platform.children import Children, list_started_pids
from orchestrator.platform.orphans import describe_orphans, reap_orphans
from orchestrator.platform.process_tree import MARK
from tests.growing_limits import iter_growing_limits

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="prctl(2) is Linux's")

HIDES = """
import os, sys, time
reading, writing = os.pipe()
if os.fork():
    os.close(writing)
    os.read(reading, 1)  # until the daemon has cleared its environment
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.closerange(0, 3)
open({note!r}, "w").write(str(os.getpid()))
os.execve(sys.executable, [sys.executable, "-c", "import time; time.sleep(120)"], {{}})
"""


STARTS = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1]])"


def hide(note: Path) -> None:
    """Start a daemon without the mark, in a session of its own, whose parents are gone."""
    process.run([sys.executable, "-c", HIDES.format(note=str(note))], cwd=note.parent)
    wait_for(note)


def wait_for(note: Path) -> None:
    for seconds in iter_growing_limits(0.05):
        if note.exists() and note.read_text(encoding="utf-8"):
            return
        time.sleep(seconds)


def is_running(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_daemon_with_an_empty_environment_is_ended_and_named(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with reap_orphans() as orphans:
        hide(note)
        pid = int(note.read_text(encoding="utf-8"))
        assert is_running(pid)
    assert not is_running(pid)
    assert "time.sleep(120)" in orphans.commands[0]
    assert describe_orphans(orphans).startswith("ended 1 process left running: ")


def test_what_was_there_before_and_what_is_ours_stays(tmp_path: Path) -> None:
    sleeps = [sys.executable, "-c", "import time; time.sleep(120)"]
    with subprocess.Popen(sleeps, cwd=tmp_path) as before:
        try:
            child = Child(sleeps, cwd=tmp_path, on_stdout=print, on_stderr=print)
            with reap_orphans() as orphans:
                pass
            assert orphans.commands == []
            assert is_running(before.pid)
            assert is_running(child.pid)
            child.end()
            child.wait()
        finally:
            before.kill()


def test_what_other_threads_start_stays(tmp_path: Path) -> None:
    sleeps = [sys.executable, "-c", "import time; time.sleep(120)"]
    process.capture(["true"], cwd=tmp_path)  # by now this process is watched by another
    earlier = list_started_pids()
    with reap_orphans() as orphans:
        plain = subprocess.Popen(sleeps, cwd=tmp_path)
        git = Thread(target=process.capture, args=(sleeps,), kwargs={"cwd": tmp_path, "timeout": 5})
        git.start()
        while not (started := list_started_pids() - earlier):
            time.sleep(0.01)
    try:
        assert orphans.commands == []
        assert is_running(plain.pid)
        assert all(is_running(pid) for pid in started)
    finally:
        plain.kill()
        plain.wait()
        for pid in started:
            os.kill(pid, signal.SIGKILL)
        git.join()
    assert not list_started_pids() & started


def test_what_a_running_child_leaves_in_the_background_stays(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    hides = HIDES.format(note=str(note)).replace(", {})", ", os.environ)")
    starts = [sys.executable, "-c", f"{STARTS}\nimport time; time.sleep(120)", hides]
    with reap_orphans() as outer:
        child = Child(starts, cwd=tmp_path, on_stdout=print, on_stderr=print)
        wait_for(note)
        with reap_orphans() as inner:
            pass
        pid = int(note.read_text(encoding="utf-8"))
        assert is_running(pid)
        assert inner.commands == []
        child.end()
        child.wait()
    assert not is_running(pid)
    assert outer.commands == []  # the child's own mark found it


def test_two_blocks_share_the_adoption(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with reap_orphans() as outer:
        with reap_orphans():
            pass
        hide(note)
    assert len(outer.commands) == 1


def test_nothing_left_is_nothing_said() -> None:
    with reap_orphans() as orphans:
        pass
    assert describe_orphans(orphans) == ""
    assert os.getpid() not in list_started_pids()


@pytest.fixture
def two_runs() -> tuple[Children, Children]:
    return Children("run-one"), Children("run-two")


def test_a_run_ends_its_own_orphans_and_not_those_of_another(
    tmp_path: Path, two_runs: tuple[Children, Children]
) -> None:
    one, two = two_runs
    note, marked = tmp_path / "pid", HIDES.replace(", {{}})", ", os.environ)")
    with two.collect(), reap_orphans() as of_two:
        with one.collect(), reap_orphans() as of_one:
            orphan = start_marked_orphan(two, marked.format(note=str(note)), tmp_path)
        assert of_one.commands == []
        assert is_running(orphan)
    assert len(of_two.commands) == 1
    assert not is_running(orphan)


def test_an_orphan_that_may_be_anybodys_is_left_to_the_last_run(
    tmp_path: Path, two_runs: tuple[Children, Children]
) -> None:
    one, two = two_runs
    with two.collect(), reap_orphans() as of_two:
        with one.collect(), reap_orphans() as of_one:
            hide(tmp_path / "pid")
        assert of_one.commands == []
        assert is_running(int((tmp_path / "pid").read_text(encoding="utf-8")))
    assert len(of_two.commands) == 1


def start_marked_orphan(run: Children, code: str, folder: Path) -> int:
    """Start a daemon that has a run's mark alone, and whose parents are gone."""
    env = {**os.environ, MARK: run.mark}
    subprocess.run([sys.executable, "-c", code], cwd=folder, env=env, check=True)
    wait_for(folder / "pid")
    return int((folder / "pid").read_text(encoding="utf-8"))
