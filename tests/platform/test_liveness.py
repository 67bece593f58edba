"""Whether a process is running is known without the clock, and a mark is found as a whole."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orchestrator.platform.liveness import ProcessMark, is_running, mark_process
from orchestrator.platform.process_tree import MARK, find_marked_processes

IS_RUNNING = """
import sys
from orchestrator.platform.liveness import ProcessMark, is_running
print(is_running(ProcessMark("", int(sys.argv[1]), float(sys.argv[2])), local=True))
"""
ROOM = ("unshare", "-Urm", "sh", "-c", 'mount --bind "$0" /proc/stat && exec "$@"')


def test_a_clock_that_was_set_ends_no_process(tmp_path: Path) -> None:
    shown = Path("/proc/stat")
    if not shown.exists() or subprocess.run((*ROOM, shown, "true"), check=False).returncode:
        pytest.skip("needs /proc/stat, and a namespace in which it can be replaced")
    later = re.sub(r"(?<=btime )\d+", lambda found: str(int(found[0]) + 3600), shown.read_text())
    (tmp_path / "stat").write_text(later)
    own = mark_process()
    program = (sys.executable, "-c", IS_RUNNING, str(own.pid), str(own.started))
    done = subprocess.run(
        (*ROOM, tmp_path / "stat", *program), capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"


def test_a_record_of_an_earlier_version_is_still_understood() -> None:
    own = mark_process()
    assert is_running(own, local=True)
    assert is_running(own._replace(started=psutil.Process().create_time()), local=True)


@pytest.mark.parametrize("started", [-1.0, 0.0, 1.0, None], ids=str)
def test_another_process_with_the_same_number_is_not_meant(started: float | None) -> None:
    if started is None:
        started = mark_process().started - 5
    assert not is_running(ProcessMark(mark_process().host, os.getpid(), started), local=True)


@pytest.mark.parametrize(
    ("mark", "found"),
    [("one-1", True), ("a:b", True), ("one", False), ("e", False), ("", False), ("b:o", False)],
)
def test_a_mark_is_found_as_a_whole(mark: str, *, found: bool) -> None:
    sleep = (sys.executable, "-c", "input()")
    environment = {**os.environ, MARK: "x:a:b:one-1"}
    with subprocess.Popen(sleep, stdin=subprocess.PIPE, env=environment) as process:
        marked = {each.pid for each in find_marked_processes(mark)}
        assert (process.pid in marked) is found
