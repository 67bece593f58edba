"""A process that is killed leaves nothing running, and one that ends properly ends nothing."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from orchestrator.platform import parent_watch_program
from orchestrator.platform.liveness import ProcessMark, is_running, read_start_time
from orchestrator.platform.process_tree import is_alive

SECONDS = 5.0
"""Within this time after the death of their starter, all are gone."""

OWNER = """
    import os, signal, sys, time
    from pathlib import Path
    from orchestrator.platform.orphans import reap_orphans
    from orchestrator.platform.process import capture, run
    from orchestrator.platform.secret_folders import create_secret_folder

    with reap_orphans(), create_secret_folder() as secrets:
        (secrets / "key").write_text("secret")
        Path(sys.argv[1]).with_name("secrets").write_text(str(secrets))
        {start}(["sh", sys.argv[1]], cwd=Path(sys.argv[1]).parent)
"""
FAMILY = """
    trap "" TERM HUP
    {{
    sleep 600 & echo $!
    setsid sleep 600 & echo $!
    env -i setsid sleep 600 & echo $!
    }} > pids.new
    (env -i setsid sh -c 'echo $$ >> pids.new; exec sleep 600' &)
    until [ $(wc -l < pids.new) = 4 ]; do sleep 0.05; done
    echo $$ >> pids.new
    mv pids.new pids
    {then}
"""
"""In its group, in a session of its own, without the mark, and without the mark and a parent."""


@contextlib.contextmanager
def owner(
    folder: Path, then: str = "sleep 600", start: str = "run"
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process that starts a family; yield it when the family is complete."""
    script = folder / "family.sh"
    script.write_text(textwrap.dedent(FAMILY.format(then=then)), encoding="utf-8")
    code = textwrap.dedent(OWNER.format(start=start))
    with subprocess.Popen(
        [sys.executable, "-c", code, str(script)], start_new_session=True
    ) as process:
        try:
            deadline = time.monotonic() + 60
            while not (folder / "pids").exists():
                assert time.monotonic() < deadline
                time.sleep(0.02)
            # So long the descendants may be unknown, see `_REFRESH_SECONDS`.
            time.sleep(1.0)
            yield process
        finally:
            process.kill()
            for each in members(folder):
                each.kill()


def members(folder: Path) -> list[psutil.Process]:
    """Return the processes of the family that are running."""
    found = []
    for pid in (folder / "pids").read_text("utf-8").split():
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append(psutil.Process(int(pid)))
    return [each for each in found if is_alive(each)]


def find_watch(process: subprocess.Popen[bytes]) -> psutil.Process:
    (watch,) = find_watches(process)
    return watch


def find_watches(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = []
    for each in psutil.Process(process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            if parent_watch_program.__file__ in each.cmdline():
                found.append(each)
    return found


def wait_until_gone(*processes: psutil.Process) -> list[psutil.Process]:
    """Return those that are still running after the time that is promised."""
    deadline = time.monotonic() + SECONDS
    while (left := [each for each in processes if is_alive(each)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


@pytest.mark.parametrize("start", ["run", "capture"])
def test_nothing_outlives_a_process_that_is_killed(tmp_path: Path, start: str) -> None:
    with owner(tmp_path, start=start) as process:
        family, watch = members(tmp_path), find_watch(process)
        assert len(family) == 5
        secrets = Path((tmp_path / "secrets").read_text("utf-8"))
        assert (secrets / "key").exists()
        assert secrets.stat().st_mode & 0o777 == 0o700
        process.kill()
        assert wait_until_gone(*family) == []
        assert wait_until_gone(watch) == []
        assert not secrets.exists()


def test_its_whole_group_may_be_killed_and_the_watch_asked_to_end(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        family, watch = members(tmp_path), find_watch(process)
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
            watch.send_signal(number)
        os.killpg(process.pid, signal.SIGKILL)
        assert wait_until_gone(*family) == []


def test_one_that_is_stopped_keeps_its_children(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        family = members(tmp_path)
        process.send_signal(signal.SIGSTOP)
        time.sleep(1.5)
        assert members(tmp_path) == family
        process.send_signal(signal.SIGKILL)
        assert wait_until_gone(*family) == []


def test_a_watch_that_was_killed_is_replaced_with_the_next_child() -> None:
    code = """
        import psutil
        from pathlib import Path
        from orchestrator.platform.process import capture, run
        capture(["true"], cwd=Path("/"))
        for watch in psutil.Process().children():
            watch.kill()
            watch.wait()
        run(["sleep", "600"], cwd=Path("/"))
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)]) as process:
        deadline = time.monotonic() + 60
        while not (found := find_sleep(process)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.5)  # it is replaced after 0.2 s
        process.kill()
        assert wait_until_gone(*found) == []


def test_a_watch_that_a_child_has_killed_is_replaced_at_once(tmp_path: Path) -> None:
    with owner(tmp_path) as process:
        family, watch = members(tmp_path), find_watch(process)
        watch.kill()
        deadline = time.monotonic() + 60
        while is_alive(watch) or not (found := find_watches(process)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(1.0)  # see `owner`
        process.kill()
        assert wait_until_gone(*family) == []
        assert wait_until_gone(*found) == []


def find_sleep(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children()
    with contextlib.suppress(psutil.NoSuchProcess):
        return [each for each in children if each.cmdline() == ["sleep", "600"]]
    return []


def test_one_that_ends_properly_ends_nothing_but_its_watch(tmp_path: Path) -> None:
    """Git starts programs that remain, such as a credential cache."""
    code = """
        import sys, psutil
        from pathlib import Path
        from orchestrator.platform.process import capture
        capture(["sh", "-c", "setsid sleep 600 >&- 2>&- & echo $! > pids"], cwd=Path(sys.argv[1]))
        print(psutil.Process().children()[0].pid)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    watch = int(done.stdout)
    with contextlib.suppress(psutil.NoSuchProcess):
        assert wait_until_gone(psutil.Process(watch)) == []
    (left,) = members(tmp_path)
    left.kill()


def test_no_child_holds_the_pipe_to_the_watch() -> None:
    code = """
        import os, sys
        from pathlib import Path
        from orchestrator.platform.child import Channel
        from orchestrator.platform.process import capture, run
        shows = "import os; print(sorted(map(int, os.listdir('/proc/self/fd'))))"
        lists = [sys.executable, "-c", shows]
        print(capture(lists, cwd=Path("/")).text, capture(lists, cwd=Path("/")).text)
        channel = Channel(print)
        print(run(lists, cwd=Path("/"), channel=channel).text.count(","), channel.descriptor)
    """
    if not Path("/proc/self/fd").exists():
        pytest.skip("the files of a process are listed on Linux")
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True
    )
    first, second, third = filter(None, map(str.strip, done.stdout.splitlines()))
    assert first == second == "[0, 1, 2, 3]"  # the last is the folder that is listed
    assert third.startswith("4 ")


def test_a_zombie_is_not_running() -> None:
    with subprocess.Popen(["sleep", "600"]) as process:
        mark = ProcessMark("", process.pid, read_start_time(process.pid))
        assert is_running(mark, local=True)
        process.kill()
        deadline = time.monotonic() + 60
        while psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE:
            assert time.monotonic() < deadline
        assert not is_running(mark, local=True)
