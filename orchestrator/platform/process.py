"""The one module that starts processes.

Every child runs in a session of its own, with a watchdog for its wall clock and its silence,
and is marked in its environment, so that what it leaves behind can be found and ended: Claude
Code runs each shell command in yet another session, which a signal to the group never reaches.

What a run starts belongs to the run's `Children`, so that several runs can be carried in one
process, each in a thread of its own.
"""

import contextlib
import contextvars
import errno
import math
import os
import signal
import subprocess
import threading
import time
import uuid
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import IO, Final

import psutil

from orchestrator.platform import files

MARK: Final = "ORCHESTRATOR_CHILD"
"""Environment variable that marks a child and all that descends from it.

It holds the marks of all its ancestors, colon-separated: when a child is itself an orchestrator,
what that one started is found by the outer mark too.
"""

TERM_GRACE_SECONDS: Final = 6.0
"""Claude Code needs up to five seconds after SIGTERM to end the commands it started."""

LINE_LIMIT: Final = 64 * 1024 * 1024
"""Bytes after which an unfinished line is handed on in pieces."""

_READER_GRACE_SECONDS: Final = 3.0
"""How long readers may take after the child's end. Only a process that cannot be found by its
mark, because it cleared its environment, can keep a pipe open for longer."""

_SWEEP_SECONDS: Final = 5.0

_FREEZE_ROUNDS: Final = 20
"""How often to look for processes that descendants started before they were stopped: each round
can only find children of those that the round before has stopped."""

LineSink = Callable[[bytes], None]


class EndReason(StrEnum):
    """Who ended a child."""

    ITSELF = "itself"
    WALL_CLOCK = "wall clock"
    NO_OUTPUT = "no output"
    NO_PROGRESS = "no progress"
    PROCESSES = "too many processes"
    US = "us"


@dataclass(frozen=True)
class ProcessResult:
    """A child that has ended. Output is bytes: what a child prints need not be UTF-8."""

    argv: tuple[str, ...]
    returncode: int
    stdout: bytes
    stderr: bytes
    seconds: float
    ended_by: EndReason

    @property
    def text(self) -> str:
        """Standard output and error as text, undecodable bytes replaced."""
        return (self.stdout + self.stderr).decode("utf-8", "replace")


class Channel:
    """A pipe by which a child sends us lines, beside its output.

    Its environment or arguments have to name the descriptor; programs in between may close it.

    Args:
        on_line: called with each line as it comes, from a thread of the child's own.
    """

    def __init__(self, on_line: LineSink) -> None:
        self.on_line = on_line
        self._reading, self.descriptor = os.pipe()
        self.inode = os.fstat(self.descriptor).st_ino
        """Identifies the pipe, so that the child does not take another file for it."""

    def start_reading(self) -> IO[bytes]:
        """Leave the writing end to the child, and return the reading one."""
        os.close(self.descriptor)
        reading, self._reading = self._reading, -1
        return os.fdopen(reading, "rb")

    def close(self) -> None:
        """Close what no child was started with."""
        if self._reading >= 0:
            os.close(self.descriptor)
            os.close(self._reading)
            self._reading = -1


class Child:
    """A running child with its readers and its watchdog.

    Args:
        argv: program and arguments; never a shell line.
        cwd: the child's working directory.
        env: the whole environment of the child; None passes ours on.
        on_stdout: called with each line of standard output, from a thread of the child's own.
            If it raises, the child is ended and `wait` raises the same error.
        on_stderr: likewise for standard error.
        wall_clock: seconds after which the child's tree is ended; None for no limit.
        no_output: seconds of silence on both streams after which it is ended; None for none.
        most_processes: size above which the child's tree is ended; None for no limit.
        stdin: whether the child gets a pipe to read from; otherwise it reads nothing.
        channel: a pipe of its own that the child inherits; it is used up.

    Raises:
        FileNotFoundError: there is no such program, or no such folder.
        PermissionError: the program or the folder may not be used.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        on_stdout: LineSink,
        on_stderr: LineSink,
        wall_clock: float | None = None,
        no_output: float | None = None,
        most_processes: int | None = None,
        stdin: bool = False,
        channel: Channel | None = None,
    ) -> None:
        self.mark = uuid.uuid4().hex
        self._owner = current_children()
        self.ended_by = EndReason.ITSELF
        self._started = self._last_output = time.monotonic()
        self._wall_clock, self._no_output = wall_clock, no_output
        self._most_processes = most_processes
        self._over = threading.Event()
        self._sink_error: BaseException | None = None
        self._deaf = False
        self._popen = _start_process(
            argv,
            cwd=cwd,
            env=_add_marks(env, self._owner.mark, self.mark),
            stdin=stdin,
            pass_descriptors=(channel.descriptor,) if channel else (),
        )
        try:
            self._threads = self._start_threads(on_stdout, on_stderr, channel)
        except BaseException:  # Ctrl-C on a busy machine: nobody else knows the child yet
            self.end()
            raise

    def _start_threads(
        self, on_stdout: LineSink, on_stderr: LineSink, channel: Channel | None
    ) -> list[threading.Thread]:
        self._owner.add(self)  # from its first moment: a signal may come before the next line
        assert self._popen.stdout  # noqa: S101 -- PIPE above; for mypy
        assert self._popen.stderr  # noqa: S101 -- likewise
        sources = [(self._popen.stdout, on_stdout), (self._popen.stderr, on_stderr)]
        if channel:
            sources.append((channel.start_reading(), channel.on_line))
        readers = [
            threading.Thread(target=self._read_lines, args=source, daemon=True)
            for source in sources
        ]
        if (self._wall_clock, self._no_output, self._most_processes) != (None, None, None):
            threading.Thread(target=self._watch_limits, daemon=True).start()
        for reader in readers:
            reader.start()
        return readers

    @property
    def pid(self) -> int:
        """Process id, which is also the id of its group and session."""
        return self._popen.pid

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def write(self, data: bytes) -> None:
        """Write to the child's standard input. A child that has gone away is not an error."""
        if self._popen.stdin:
            with contextlib.suppress(BrokenPipeError, ValueError):
                self._popen.stdin.write(data)
                self._popen.stdin.flush()

    def close_stdin(self) -> None:
        """Close the child's standard input."""
        if self._popen.stdin:
            with contextlib.suppress(BrokenPipeError):
                self._popen.stdin.close()

    def end(self, by: EndReason = EndReason.US) -> None:
        """End the child and everything it started: TERM, then KILL, then a sweep by mark.

        May be called from any thread, more than once. `wait` is still to be called.
        """
        descendants: list[psutil.Process] = []
        if self._popen.poll() is None:
            if self.ended_by is EndReason.ITSELF:
                self.ended_by = by
            descendants = _list_descendants(self.pid)
            self._send_signal(signal.SIGTERM)
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(TERM_GRACE_SECONDS)
            finally:  # a second Ctrl-C cuts the grace short, not the end
                if self._popen.returncode is None:  # or the number may be another's by now
                    descendants += _freeze_tree(self.pid)
                self._send_signal(signal.SIGKILL)
                for process in descendants:
                    with contextlib.suppress(psutil.Error):
                        process.kill()
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self._popen.wait(1.0)  # a killed child is gone at once; nobody else reaps it
                _wait_until_gone(descendants)
        end_marked_processes(self.mark)

    def wait(self) -> int:
        """Wait for the end, end what the child left behind, and give its return code.

        Raises:
            BaseException: whatever a sink raised.
        """
        returncode = self._popen.wait()
        self._over.set()
        self._owner.discard(self)
        # A leftover that holds the pipes would keep the readers waiting for ever.
        end_marked_processes(self.mark)
        deadline = time.monotonic() + _READER_GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._deaf = True
        self.close_stdin()
        if self._sink_error:
            raise self._sink_error
        return returncode

    def _send_signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, number)

    def _read_lines(self, stream: IO[bytes], sink: LineSink) -> None:
        pending = bytearray()
        with stream:
            while chunk := os.read(stream.fileno(), 65536):
                # Any byte counts as output: a runner's dots come long before their newline.
                self._last_output = time.monotonic()
                *lines, rest = chunk.split(b"\n")
                for line in lines:
                    self._pass_line(bytes(pending) + line + b"\n", sink)
                    pending.clear()
                pending += rest
                if len(pending) >= LINE_LIMIT:
                    self._pass_line(bytes(pending), sink)
                    pending.clear()
            if pending:
                self._pass_line(bytes(pending), sink)

    def _pass_line(self, line: bytes, sink: LineSink) -> None:
        if self._deaf:
            return
        try:
            sink(line)
        except BaseException as error:  # noqa: BLE001 -- wait() raises it in the caller's thread
            self._sink_error, self._deaf = error, True
            threading.Thread(target=self.end, daemon=True).start()

    def _watch_limits(self) -> None:
        while not self._over.wait(min(self._next_deadline() - time.monotonic(), 1.0)):
            if self._most_processes is not None and self._count_processes() > self._most_processes:
                return self.end(EndReason.PROCESSES)
            now = time.monotonic()
            if self._wall_clock is not None and now - self._started >= self._wall_clock:
                return self.end(EndReason.WALL_CLOCK)
            if self._no_output is not None and now - self._last_output >= self._no_output:
                return self.end(EndReason.NO_OUTPUT)
        return None

    def _count_processes(self) -> int:
        """How many processes there are of the child's: by descent, or else by the mark."""
        return len(
            {each.pid for each in (*_list_descendants(self.pid), *_find_marked(self.mark))}
            | {self.pid}
        )

    def _next_deadline(self) -> float:
        deadlines = [math.inf]
        if self._wall_clock is not None:
            deadlines.append(self._started + self._wall_clock)
        if self._no_output is not None:
            deadlines.append(self._last_output + self._no_output)
        return min(deadlines)


class Children:
    """The children of one run: they carry its mark, and are ended together.

    Children belong to the run whose `collect` block their thread is in when they are started; all
    others belong to no run.

    Args:
        mark: stands in the environment of each child and of all that descends from it. It may
            outlive us: should we be killed, whoever takes the run up can `sweep` it.
    """

    def __init__(self, mark: str = "") -> None:
        self.mark = mark
        self._live: set[Child] = set()
        self._started: weakref.WeakSet[subprocess.Popen[bytes]] = weakref.WeakSet()
        with _start_lock:
            _groups.add(self)

    @contextlib.contextmanager
    def collect(self) -> Iterator["Children"]:
        """Own what this thread starts within the block, `git` of the workspace included."""
        before = _current.set(self)
        try:
            yield self
        finally:
            _current.reset(before)

    def end_all(self) -> None:
        """End every child that is still running, from whatever thread it was started.

        Children of other runs are left alone.
        """
        _end_together(self.live)

    @property
    def live(self) -> tuple["Child", ...]:
        """The children that nobody has waited for to the end."""
        return tuple(self._live)

    def add(self, child: "Child") -> None:
        """Note a child that runs."""
        self._live.add(child)

    def discard(self, child: "Child") -> None:
        """Forget a child that has ended."""
        self._live.discard(child)

    def register_process(self, popen: subprocess.Popen[bytes]) -> None:
        """Note a process that was started; the caller holds the lock of starting."""
        self._started.add(popen)

    def list_pids(self) -> set[int]:
        """Return the process ids of what was started and not waited for."""
        return {popen.pid for popen in tuple(self._started) if popen.returncode is None}


_start_lock: Final = threading.RLock()
"""Held while a process is started, until its owner has noted it."""
_groups: Final[weakref.WeakSet[Children]] = weakref.WeakSet()
"""All owners of children in this process. The system tells for a process, and not for a run, which
children there are; so whoever looks through them has to know every run's."""
_unowned_children: Final = Children()
_current: Final = contextvars.ContextVar[Children]("children", default=_unowned_children)


def current_children() -> Children:
    """Return who owns what this thread starts."""
    return _current.get()


def end_all() -> None:
    """End every child of this process that is still running, of whichever run.

    For a Ctrl-C or SIGTERM that reaches the main thread while others wait for children.
    """
    _end_together([child for group in _list_groups() for child in group.live])


def _end_together(children: Collection["Child"]) -> None:
    threads = [threading.Thread(target=child.end) for child in children]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _list_groups() -> tuple[Children, ...]:
    with _start_lock:
        return tuple(_groups)


def list_started_pids() -> set[int]:
    """Return the process ids of everything started here and not waited for, in any thread.

    Whoever lists our children first, and asks afterwards, misses none: a process that another
    thread is just starting is waited for.
    """
    with _start_lock:
        return {pid for group in tuple(_groups) for pid in group.list_pids()}


def list_live_marks() -> set[str]:
    """Return the marks of all children that are running, of whichever run."""
    return {child.mark for group in _list_groups() for child in group.live}


def read_marks(candidate: psutil.Process) -> set[str]:
    """Return the marks that a process carries; none if it has cleared them, or hides them."""
    try:
        return set(_read_environment(candidate).get(MARK, "").split(":")) - {""}
    except (psutil.Error, OSError):
        return set()


def run(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    wall_clock: float | None = None,
    no_output: float | None = None,
    most_processes: int | None = None,
    stdin: bytes = b"",
    on_line: LineSink | None = None,
    channel: Channel | None = None,
    keep_bytes: int = 8 * 1024 * 1024,
) -> ProcessResult:
    """Run a child to its end and give what it printed.

    Of each stream the last `keep_bytes` (about) are kept: a runaway child must not fill our
    memory. `on_line` sees every line of both streams as it comes. See `Child` for the rest.
    Ctrl-C ends the child's whole tree before it goes on upwards.
    """
    out, err = _Tail(keep_bytes), _Tail(keep_bytes)
    watch = on_line or (lambda _line: None)

    def sink(tail: _Tail) -> LineSink:
        def take(line: bytes) -> None:
            tail.add(line)
            watch(line)

        return take

    child = Child(
        argv,
        cwd=cwd,
        env=env,
        on_stdout=sink(out),
        on_stderr=sink(err),
        wall_clock=wall_clock,
        no_output=no_output,
        most_processes=most_processes,
        stdin=bool(stdin),
        channel=channel,
    )
    try:
        if stdin:
            child.write(stdin)
            child.close_stdin()
        returncode = child.wait()
    except BaseException:
        child.end()
        child.close_stdin()
        raise
    return ProcessResult(
        tuple(argv), returncode, out.bytes, err.bytes, child.seconds, child.ended_by
    )


def capture(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    stdout_file: Path | None = None,
    timeout: float = 120.0,
) -> ProcessResult:
    """Run a short program that leaves nothing behind (git, `claude --version`), without a watchdog.

    `stdout_file` takes standard output straight to a file, however large it is.

    Raises:
        FileNotFoundError: there is no such program, or no such folder.
        PermissionError: the program or the folder may not be used.
    """
    started = time.monotonic()
    with stdout_file.open("wb") if stdout_file else contextlib.nullcontext() as file:
        mark = current_children().mark
        env = _add_marks(env, mark) if mark else env
        popen = _start_process(argv, cwd=cwd, env=env, stdin=bool(stdin), stdout=file)
        ended_by = EndReason.ITSELF
        try:
            out, err = popen.communicate(stdin or None, timeout)
        except BaseException as error:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(popen.pid, signal.SIGKILL)
            out, err = popen.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            ended_by = EndReason.WALL_CLOCK
    seconds = time.monotonic() - started
    return ProcessResult(tuple(argv), popen.returncode, out or b"", err, seconds, ended_by)


def _start_process(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None,
    stdin: bool,
    stdout: IO[bytes] | None = None,
    pass_descriptors: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    words = [_encode_argument(word) for word in argv]
    try:
        with _start_lock:
            popen = subprocess.Popen(
                words,
                cwd=cwd,
                env=env,
                stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
                stdout=stdout or subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
                pass_fds=tuple(pass_descriptors),
            )
            current_children().register_process(popen)
            return popen
    except OSError as error:
        if error.filename != words[0]:
            raise  # it is about the folder
        # Python reports the worst of what its search met, such as a PATH folder of another user,
        # and not what it came to: nothing. Of a script it says "no such file" for its interpreter.
        if not _has_program(argv[0], cwd, env):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0]) from error
        if error.errno == errno.ENOENT:
            raise FileNotFoundError(
                errno.ENOENT, "its interpreter (first line) was not found", argv[0]
            ) from error
        raise


def _encode_argument(word: str) -> str | bytes:
    """Return an argument as it is, or in UTF-8 where the locale's encoding has no such letters."""
    try:
        os.fsencode(word)
    except UnicodeEncodeError:
        return word.encode("utf-8", "surrogateescape")
    return word


def _has_program(program: str, cwd: Path, env: Mapping[str, str] | None) -> bool:
    """Tell whether there is such a file, by its path or on the PATH, even one not to execute."""
    if "/" in program:
        return os.path.lexists(cwd / program)
    return any(files.is_file(cwd / folder / program) for folder in os.get_exec_path(env))


class _Tail:
    """The last lines of a stream, up to a bound."""

    def __init__(self, bound: int) -> None:
        self._bound, self._size, self._lines = bound, 0, list[bytes]()

    def add(self, line: bytes) -> None:
        self._lines.append(line[-self._bound :])
        self._size += len(self._lines[-1])
        if self._size > 2 * self._bound:
            self._lines = [self.bytes]
            self._size = len(self._lines[0])

    @property
    def bytes(self) -> bytes:
        return b"".join(self._lines)[-self._bound :]


def _wait_until_gone(killed: Collection[psutil.Process]) -> None:
    """Wait until killed processes are gone, a second at most: a busy machine takes its time."""
    deadline = time.monotonic() + 1.0
    while any(map(_is_alive, killed)) and time.monotonic() < deadline:
        time.sleep(0.01)


def _is_alive(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.Error):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def end_marked_processes(mark: str) -> int:
    """End every process that carries the mark, whatever its session. Gives how many."""
    ended: set[int] = set()
    deadline = time.monotonic() + _SWEEP_SECONDS
    while (left := _find_marked(mark)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
                ended.add(process.pid)
        time.sleep(0.02)
    return len(ended)


def _find_marked(mark: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            ours = process.pid != os.getpid() and mark in _read_environment(process).get(MARK, "")
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def _read_environment(process: psutil.Process) -> dict[str, str]:
    """Return a process's environment, also of one that is just starting a program.

    For a moment it then shows neither an environment nor arguments, as kernel threads do for ever.
    """
    for _ in range(20):
        if environment := process.environ():
            return environment
        if process.ppid() in (0, 2) or process.cmdline():
            break
        if process.status() == psutil.STATUS_ZOMBIE:
            break
        time.sleep(0.001)
    return {}


def _add_marks(env: Mapping[str, str] | None, *marks: str) -> dict[str, str]:
    """Return an environment, ours if None, with marks behind those of our own ancestors."""
    env = os.environ if env is None else env
    # Ours first: an environment that was copied earlier may lack them.
    outer = os.environ.get(MARK) or env.get(MARK) or ""
    return {**env, MARK: ":".join(filter(None, (outer, *marks)))}


def _freeze_tree(pid: int) -> list[psutil.Process]:
    """Stop a process and its descendants, and return the descendants.

    What runs could start another process between the look and the kill. Should that one have
    cleared its environment, nobody would find it once its parent is gone.
    """
    frozen: set[psutil.Process] = set()
    with contextlib.suppress(psutil.Error):
        psutil.Process(pid).suspend()
    for _ in range(_FREEZE_ROUNDS):
        found = set(_list_descendants(pid)) - frozen
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.Error):
                process.suspend()
        frozen |= found
    return list(frozen)


def _list_descendants(pid: int) -> list[psutil.Process]:
    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.Error:
        return []
