"""Real children, real signals. Nothing here measures how long anything takes."""

import errno
import os
import signal
import subprocess
import sys
import sysconfig
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from orchestrator.platform.child import LINE_LIMIT, Child
from orchestrator.platform.children import end_all
from orchestrator.platform.process import capture, run
from orchestrator.platform.process_tree import MARK, end_marked_processes
from orchestrator.platform.watchdog import EndReason
from tests.growing_limits import iter_growing_limits
from tests.ordinary_user import ordinary_user


def python(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def wait_for(condition: Callable[[], bool], seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def pids_in(file: Path, count: int) -> list[int]:
    assert wait_for(lambda: file.exists() and len(file.read_text("utf-8").split()) >= count)
    return [int(word) for word in file.read_text("utf-8").split()]


def alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


STUBBORN_FAMILY = """
    import os, signal, subprocess, sys, time
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    away = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    )
    bare = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], env={}, start_new_session=True
    )
    with open("pids.new", "w") as file:
        print(os.getpid(), child.pid, away.pid, bare.pid, file=file)
    os.rename("pids.new", "pids")
    time.sleep(600)
"""
"""Ignores TERM and has three children: in its group, in a session of its own, and unmarked."""


@pytest.fixture
def quick_kill(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.platform.child.TERM_GRACE_SECONDS", 0.3)


def test_gives_what_the_child_printed_and_how_it_ended(tmp_path: Path) -> None:
    lines: list[bytes] = []
    done = run(
        python("import sys; print('out'); print('err', file=sys.stderr); sys.exit(7)"),
        cwd=tmp_path,
        on_line=lines.append,
    )
    assert (done.stdout, done.stderr, done.returncode) == (b"out\n", b"err\n", 7)
    assert done.ended_by is EndReason.ITSELF
    assert sorted(lines) == [b"err\n", b"out\n"]


def test_standard_input_reaches_the_child_whole(tmp_path: Path) -> None:
    done = run(
        python("import sys; print(len(sys.stdin.buffer.read()))"),
        cwd=tmp_path,
        stdin=b"x" * 1_000_000,
    )
    assert done.stdout == b"1000000\n"


def test_a_child_that_does_not_read_its_input_is_no_error(tmp_path: Path) -> None:
    assert run(python("pass"), cwd=tmp_path, stdin=b"x" * 1_000_000).returncode == 0


@pytest.mark.usefixtures("quick_kill")
def test_wall_clock_ends_the_whole_family(tmp_path: Path) -> None:
    for seconds in iter_growing_limits(1.5):
        done = run(python(STUBBORN_FAMILY), cwd=tmp_path, wall_clock=seconds)
        if (tmp_path / "pids").exists():
            break
    assert done.ended_by is EndReason.WALL_CLOCK
    assert wait_for(lambda: not any(map(alive, pids_in(tmp_path / "pids", 4))), seconds=10)


@pytest.mark.usefixtures("quick_kill")
def test_silence_ends_the_whole_family(tmp_path: Path) -> None:
    for seconds in iter_growing_limits(1.5):
        done = run(python(STUBBORN_FAMILY), cwd=tmp_path, no_output=seconds)
        if (tmp_path / "pids").exists():
            break
    assert done.ended_by is EndReason.NO_OUTPUT
    assert wait_for(lambda: not any(map(alive, pids_in(tmp_path / "pids", 4))), seconds=10)


@pytest.mark.usefixtures("quick_kill")
def test_what_is_started_until_the_last_moment_is_ended_too(tmp_path: Path) -> None:
    """Whoever only lists the descendants and then kills misses what was started in between."""
    code = """
        import os, signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for _ in range(3000):
            bare = subprocess.Popen(["/bin/sleep", "600"], env={}, start_new_session=True)
            os.write(1, b"%d\\n" % bare.pid)
            time.sleep(0.001)
        time.sleep(600)
    """
    for seconds in iter_growing_limits(0.5):
        done = run(python(code), cwd=tmp_path, wall_clock=seconds)
        if done.stdout:
            break
    started = [int(line) for line in done.stdout.split()]
    try:
        assert wait_for(lambda: not any(map(alive, started)), seconds=10)
    finally:
        for pid in filter(alive, started):
            os.kill(pid, signal.SIGKILL)


def test_what_is_started_after_the_first_signal_is_ended_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = """
        import os, signal, subprocess, sys, time
        def start(*_):
            bare = subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)"],
                env={}, start_new_session=True,
            )
            print(bare.pid, flush=True)
        signal.signal(signal.SIGTERM, start)
        print("ready", flush=True)
        while True:
            time.sleep(600)
    """
    lines: list[bytes] = []
    for seconds in iter_growing_limits(0.5):
        monkeypatch.setattr("orchestrator.platform.child.TERM_GRACE_SECONDS", seconds)
        lines.clear()
        child = Child(python(code), cwd=tmp_path, on_stdout=lines.append, on_stderr=print)
        assert wait_for(lambda: bool(lines))
        child.end()
        child.wait()
        if lines[1:]:
            break
    assert not alive(int(lines[1]))


def test_dots_without_a_newline_are_not_silence(tmp_path: Path) -> None:
    for seconds in iter_growing_limits(1.0):  # twice as long in all, and never as long in silence
        code = f"""
            import sys, time
            for _ in range(20):
                sys.stdout.write("."); sys.stdout.flush(); time.sleep({seconds / 10})
        """
        done = run(python(code), cwd=tmp_path, no_output=seconds)
        if (done.ended_by, done.stdout) == (EndReason.ITSELF, b"." * 20):
            break


def test_what_is_left_behind_is_ended_after_a_normal_end(tmp_path: Path) -> None:
    code = """
        import subprocess, sys
        away = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
        )
        print(away.pid)
    """
    done = run(python(code), cwd=tmp_path)
    assert done.ended_by is EndReason.ITSELF
    assert not alive(int(done.stdout))


def test_a_leftover_that_cannot_be_found_does_not_hold_us(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.platform.child._READER_GRACE_SECONDS", 0.2)
    code = """
        import subprocess, sys
        away = subprocess.Popen(
            [sys.executable, "-c", "import time; time.sleep(600)"], env={}, start_new_session=True
        )
        print(away.pid, flush=True)
    """
    done = run(python(code), cwd=tmp_path)
    os.kill(int(done.stdout), signal.SIGKILL)  # it holds the pipe, and has no mark
    assert done.returncode == 0


def test_a_child_of_a_child_that_marks_its_own_is_found_by_the_outer_mark(tmp_path: Path) -> None:
    code = """
        import sys
        from pathlib import Path
        from orchestrator.platform.child import Child
        child = Child([sys.executable, "-c", "import time; time.sleep(600)"], cwd=Path.cwd(),
                      on_stdout=print, on_stderr=print)
        print(child.pid, flush=True)
    """
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = run(python(code), cwd=tmp_path, env=env)
    assert not alive(int(done.stdout))


def test_of_a_flood_the_end_is_kept(tmp_path: Path) -> None:
    code = "import sys\nfor n in range(200_000): print('line', n)\nsys.stdout.write('the end')"
    done = run(python(code), cwd=tmp_path, keep_bytes=1000)
    assert len(done.stdout) == 1000
    assert done.stdout.endswith(b"line 199999\nthe end")


def test_a_line_without_end_is_handed_on_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.platform.child.LINE_LIMIT", 100_000)
    pieces: list[bytes] = []
    run(
        python("import sys\nfor _ in range(50): sys.stdout.write('x' * 10_000)"),
        cwd=tmp_path,
        on_line=pieces.append,
    )
    assert b"".join(pieces) == b"x" * 500_000
    assert max(map(len, pieces)) <= 200_000
    assert LINE_LIMIT > 10_000_000


def test_a_long_line_comes_whole(tmp_path: Path) -> None:
    lines: list[bytes] = []
    run(python("print('x' * 5_000_000); print('y')"), cwd=tmp_path, on_line=lines.append)
    assert [len(line) for line in lines] == [5_000_001, 2]


def test_an_error_in_a_listener_ends_the_child_and_goes_on_upwards(tmp_path: Path) -> None:
    class ListenerError(Exception):
        pass

    seen: list[bytes] = []

    def listener(line: bytes) -> None:
        seen.append(line)
        raise ListenerError

    code = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
    with pytest.raises(ListenerError):
        run(python(code), cwd=tmp_path, on_line=listener)
    assert len(seen) == 1
    assert not alive(int(seen[0]))


def test_ctrl_c_reaches_the_child_only_through_us_and_ends_its_family(tmp_path: Path) -> None:
    code = f"""
        import sys
        from pathlib import Path
        from orchestrator.platform import child, process
        child.TERM_GRACE_SECONDS = 0.3
        process.run([sys.executable, "-c", {textwrap.dedent(STUBBORN_FAMILY)!r}], cwd=Path.cwd())
    """
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    us = subprocess.Popen(
        python(code), cwd=tmp_path, env=env, stderr=subprocess.PIPE, start_new_session=True
    )
    pids = pids_in(tmp_path / "pids", 4)
    os.killpg(us.pid, signal.SIGINT)  # as a terminal does it: to the whole foreground group
    _, stderr = us.communicate(timeout=120)
    assert us.returncode == -signal.SIGINT
    assert b"KeyboardInterrupt" in stderr
    assert [pid for pid in pids if alive(pid)] == []


@pytest.mark.usefixtures("quick_kill")
def test_end_all_ends_children_that_other_threads_wait_for(tmp_path: Path) -> None:
    ended: list[EndReason] = []

    def work() -> None:
        ended.append(run(python(STUBBORN_FAMILY), cwd=tmp_path).ended_by)

    thread = threading.Thread(target=work)
    thread.start()
    pids = pids_in(tmp_path / "pids", 4)
    end_all()
    thread.join(120)
    assert ended == [EndReason.US]
    assert [pid for pid in pids if alive(pid)] == []


def test_the_first_cause_of_an_end_is_kept(tmp_path: Path) -> None:
    child = Child(
        python("import time; time.sleep(600)"), cwd=tmp_path, on_stdout=print, on_stderr=print
    )
    child.end(EndReason.WALL_CLOCK)
    child.end(EndReason.US)
    child.wait()
    assert child.ended_by is EndReason.WALL_CLOCK


def test_sweep_takes_no_one_else(tmp_path: Path) -> None:
    child = Child(
        python("import time; time.sleep(600)"), cwd=tmp_path, on_stdout=print, on_stderr=print
    )
    assert end_marked_processes("0" * 32) == 0
    assert alive(child.pid)
    assert end_marked_processes(child.mark) == 1
    assert child.wait() == -signal.SIGKILL


def test_the_mark_is_the_only_thing_added_to_the_environment(tmp_path: Path) -> None:
    done = run(["/usr/bin/env"], cwd=tmp_path, env={"LC_ALL": "C", "A": "b"})
    names = [line.split("=")[0] for line in done.text.splitlines()]
    assert sorted(names) == ["A", "LC_ALL", MARK]


def start_as_child(argv: Sequence[str], path: str) -> int:
    child = Child(argv, cwd=Path("/"), env={"PATH": path}, on_stdout=print, on_stderr=print)
    return child.wait()


def start_with_run(argv: Sequence[str], path: str) -> int:
    return run(argv, cwd=Path("/"), env={"PATH": path}).returncode


def start_with_capture(argv: Sequence[str], path: str) -> int:
    return capture(argv, cwd=Path("/"), env={"PATH": path}).returncode


@pytest.mark.parametrize("start", [start_as_child, start_with_run, start_with_capture])
class TestProgramsOnThePath:
    """The search is the kernel's, and what it came to is ours to say: for any user."""

    @pytest.fixture
    def closed(self, tmp_path: Path) -> Iterator[Path]:
        """A folder that an ordinary user may not enter."""
        folder = tmp_path / "closed"
        folder.mkdir(mode=0)
        yield folder
        folder.chmod(0o700)

    def test_one_that_is_not_there_is_not_found(
        self, start: Callable[[Sequence[str], str], int], closed: Path
    ) -> None:
        for path in ("/usr/bin:/bin", f"{closed}:/usr/bin:/bin", f"/usr/bin:/bin:{closed}"):
            with ordinary_user(), pytest.raises(FileNotFoundError) as caught:
                start(["no-such-program"], path)
            assert (caught.value.filename, caught.value.errno) == ("no-such-program", errno.ENOENT)

    def test_one_behind_a_closed_folder_is_found(
        self, start: Callable[[Sequence[str], str], int], closed: Path
    ) -> None:
        with ordinary_user():
            assert start(["sh", "-c", "exit 7"], f"{closed}:/usr/bin:/bin") == 7

    def test_one_that_may_not_be_executed_is_forbidden(
        self, start: Callable[[Sequence[str], str], int], tmp_path: Path
    ) -> None:
        (tmp_path / "tool").write_text("#!/bin/sh\n", encoding="utf-8")
        for program in ("tool", str(tmp_path / "tool")):
            with pytest.raises(PermissionError):
                start([program], str(tmp_path))

    def test_a_folder_of_that_name_is_no_program(
        self, start: Callable[[Sequence[str], str], int], tmp_path: Path
    ) -> None:
        (tmp_path / "tool").mkdir()
        with pytest.raises(FileNotFoundError):
            start(["tool"], str(tmp_path))


def test_an_argument_need_not_be_in_the_locales_encoding(tmp_path: Path) -> None:
    code = """
        from pathlib import Path
        from orchestrator.platform.process import run
        print(ascii(run(["printf", "%s", "a\\u2014"], cwd=Path.cwd()).stdout))
    """
    # Without `site`, which reads a checkout's own path in that encoding, and may fail to.
    path = [str(Path(__file__).parents[2]), *map(sysconfig.get_path, ("purelib", "platlib"))]
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONPATH": ":".join(path), "PATH": "/usr/bin:/bin"}
    done = run([sys.executable, "-S", "-c", textwrap.dedent(code)], cwd=tmp_path, env=env)
    assert done.text == r"b'a\xe2\x80\x94'" "\n"


def test_a_closed_working_folder_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0)
    with ordinary_user(), pytest.raises(PermissionError) as caught:
        run(["no-such-program"], cwd=closed)
    closed.chmod(0o700)
    assert caught.value.filename == closed


def test_capture_gives_output_and_ends_what_takes_too_long(tmp_path: Path) -> None:
    assert capture(python("print(input())"), cwd=tmp_path, stdin=b"hello\n").stdout == b"hello\n"
    late = capture(python("import time; time.sleep(600)"), cwd=tmp_path, timeout=0.3)
    assert late.ended_by is EndReason.WALL_CLOCK


def test_capture_writes_straight_to_a_file(tmp_path: Path) -> None:
    capture(python("print('x' * 1000)"), cwd=tmp_path, stdout_file=tmp_path / "out")
    assert (tmp_path / "out").read_bytes() == b"x" * 1000 + b"\n"


@pytest.mark.parametrize("by_path", [True, False])
def test_a_script_without_its_interpreter_is_not_called_missing(
    tmp_path: Path, by_path: bool
) -> None:
    script = tmp_path / "tests.sh"
    script.write_bytes(b"#!/bin/sh\r\necho hello\n")  # as an editor on Windows leaves it
    script.chmod(0o755)
    word = str(script) if by_path else script.name
    for start in (run, capture):
        with pytest.raises(FileNotFoundError) as caught:
            start([word], cwd=tmp_path, env={"PATH": str(tmp_path)})
        assert caught.value.filename == word
        assert "interpreter" in str(caught.value.strerror)
