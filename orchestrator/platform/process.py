"""Run a program to its end: `run` for any program, `capture` for a short one.

A program that leaves processes behind needs `run`: it marks them in their environment, watches the
program's limits, and ends the whole tree.
"""

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.platform.child import Channel, Child, LineSink
from orchestrator.platform.children import current_children
from orchestrator.platform.popen import communicate, start_process
from orchestrator.platform.process_tree import add_marks
from orchestrator.platform.watchdog import EndReason

_TAIL_BYTES: Final = 8 * 1024 * 1024


@dataclass(frozen=True)
class ProcessResult:
    """A program that has ended. Output is bytes: it need not be UTF-8."""

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
    keep_bytes: int = _TAIL_BYTES,
) -> ProcessResult:
    """Run a child to its end and return what it printed. Ctrl-C ends its whole tree first.

    `stdin` is what the child can read, and `on_line` is called with every line of both streams. Of
    each stream about the last `keep_bytes` are returned, so that endless output does not fill the
    memory. The other arguments and the errors are those of `Child`.
    """
    out, err = _Tail(keep_bytes), _Tail(keep_bytes)
    child = Child(
        argv,
        cwd=cwd,
        env=env,
        on_stdout=_build_sink(out, on_line),
        on_stderr=_build_sink(err, on_line),
        wall_clock=wall_clock,
        no_output=no_output,
        most_processes=most_processes,
        stdin=bool(stdin),
        channel=channel,
    )
    returncode = _wait_for_child(child, stdin)
    return ProcessResult(
        tuple(argv), returncode, out.bytes, err.bytes, child.seconds, child.ended_by
    )


def _build_sink(tail: "_Tail", on_line: LineSink | None) -> LineSink:
    if on_line is None:
        return tail.add_line

    def add_and_pass_on(line: bytes) -> None:
        tail.add_line(line)
        on_line(line)

    return add_and_pass_on


def _wait_for_child(child: Child, stdin: bytes) -> int:
    try:
        if stdin:
            child.write(stdin)
            child.close_stdin()
        return child.wait()
    except BaseException:
        child.end()
        child.close_stdin()
        raise


def capture(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    stdout_file: Path | None = None,
    timeout: float = 120.0,
) -> ProcessResult:
    """Run a short program that leaves nothing running, such as git or `claude --version`.

    Args:
        argv: program and arguments; never a shell line.
        cwd: its working directory.
        env: its whole environment; the one of this process if None.
        stdin: what it can read.
        stdout_file: the file for its standard output, which is then not held in memory.
        timeout: seconds after which it is killed.

    Raises:
        FileNotFoundError: there is no such program, or no such folder.
        PermissionError: the program or the folder may not be used.
    """
    started = time.monotonic()
    with stdout_file.open("wb") if stdout_file else contextlib.nullcontext() as file:
        env = add_marks(env, current_children().mark)
        popen = start_process(argv, cwd=cwd, env=env, stdin=bool(stdin), stdout=file)
        out, err, is_late = communicate(popen, stdin, timeout)
    ended_by = EndReason.WALL_CLOCK if is_late else EndReason.ITSELF
    seconds = time.monotonic() - started
    return ProcessResult(tuple(argv), popen.returncode, out, err, seconds, ended_by)


class _Tail:
    """The last lines of a stream, up to a number of bytes."""

    def __init__(self, limit: int) -> None:
        self._limit, self._size, self._lines = limit, 0, list[bytes]()

    def add_line(self, line: bytes) -> None:
        self._lines.append(line[-self._limit :])
        self._size += len(self._lines[-1])
        if self._size > 2 * self._limit:
            self._lines = [self.bytes]
            self._size = len(self._lines[0])

    @property
    def bytes(self) -> bytes:
        return b"".join(self._lines)[-self._limit :]
