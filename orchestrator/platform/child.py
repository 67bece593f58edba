"""Run a child process: read its output, enforce its limits, and end its whole process tree."""

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from orchestrator.platform.children import current_children
from orchestrator.platform.popen import signal_group, start_process, wait_at_most
from orchestrator.platform.process_tree import (
    add_marks,
    count_processes,
    end_marked_processes,
    freeze_tree,
    kill_processes,
    list_descendants,
    wait_until_gone,
)
from orchestrator.platform.watchdog import EndReason, Watchdog

TERM_GRACE_SECONDS: Final = 6.0
"""Claude Code needs up to five seconds after SIGTERM to end the commands it has started."""

LINE_LIMIT: Final = 64 * 1024 * 1024
"""The most bytes to buffer of an unfinished line; a longer line is passed on in pieces."""

_READER_GRACE_SECONDS: Final = 3.0
"""How long readers may continue after the child has ended. Only a process that cleared its
environment, and so cannot be found by its mark, can hold a pipe open for longer."""

LineSink = Callable[[bytes], None]


class Channel:
    """A pipe through which a child sends us lines, in addition to its output.

    The child needs the descriptor in its environment or arguments. A program between this process
    and the one that writes may close it.

    Args:
        on_line: called with each line, in a reader thread.
    """

    def __init__(self, on_line: LineSink) -> None:
        self.on_line = on_line
        self._reading, self.descriptor = os.pipe()
        self.inode = os.fstat(self.descriptor).st_ino
        """Identifies the pipe: if a program in between closed it, the descriptor may be that of
        another file."""

    def start_reading(self) -> IO[bytes]:
        """Close the writing end, which the child has inherited, and return the reading end."""
        os.close(self.descriptor)
        reading, self._reading = self._reading, -1
        return os.fdopen(reading, "rb")

    def close(self) -> None:
        """Close both ends, unless a child was started with the channel."""
        if self._reading >= 0:
            os.close(self.descriptor)
            os.close(self._reading)
            self._reading = -1


class Child:
    """A running child with its readers and its watchdog.

    Args:
        argv: program and arguments; never a shell command line.
        cwd: the child's working directory.
        env: the complete environment of the child; that of this process if None.
        on_stdout: called with each line of standard output, in a reader thread.
            If it raises, the child is ended and `wait` raises the same error.
        on_stderr: the same for standard error.
        wall_clock: seconds after which the child's process tree is ended; None for no limit.
        no_output: seconds of silence on all streams after which it is ended; None for no limit.
        most_processes: number of processes above which the tree is ended; None for no limit.
        stdin: whether the child's standard input is a pipe; otherwise it is empty.
        channel: an additional pipe that the child inherits; not reusable for another child.

    Raises:
        FileNotFoundError: the program or the folder does not exist.
        PermissionError: this process may not execute the program, or not enter the folder.
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
        self._watchdog = Watchdog(wall_clock, no_output, most_processes)
        self._sink_error: BaseException | None = None
        self._discards_lines = False
        self._popen = start_process(
            argv,
            cwd=cwd,
            env=add_marks(env, self._owner.mark, self.mark),
            stdin=stdin,
            pass_descriptors=(channel.descriptor,) if channel else (),
        )
        try:
            self._threads = self._start_threads(on_stdout, on_stderr, channel)
        except BaseException:  # Ctrl-C: the caller has no child yet that it could end
            self.end()
            raise

    def _start_threads(
        self, on_stdout: LineSink, on_stderr: LineSink, channel: Channel | None
    ) -> list[threading.Thread]:
        self._owner.add(self)  # first of all: a signal may arrive before the next line runs
        assert self._popen.stdout  # noqa: S101 -- a pipe, see `start_process`; for mypy
        assert self._popen.stderr  # noqa: S101 -- likewise
        sources = [(self._popen.stdout, on_stdout), (self._popen.stderr, on_stderr)]
        if channel:
            sources.append((channel.start_reading(), channel.on_line))
        readers = [
            threading.Thread(target=self._read_lines, args=source, daemon=True)
            for source in sources
        ]
        self._watchdog.start(lambda: count_processes(self.pid, self.mark), self.end)
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
        return self._watchdog.seconds

    def write(self, data: bytes) -> None:
        """Write to the child's standard input; do nothing if the child has ended."""
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
        """End the child and all it started: SIGTERM, SIGKILL, then whatever carries its mark.

        May be called from any thread, and more than once. `wait` must still be called.
        """
        if self._popen.poll() is None:
            if self.ended_by is EndReason.ITSELF:
                self.ended_by = by
            self._end_tree()
        end_marked_processes(self.mark)

    def _end_tree(self) -> None:
        # Before SIGTERM: once its parent has exited, a process is no longer a descendant.
        descendants = list_descendants(self.pid)
        signal_group(self.pid, signal.SIGTERM)
        try:
            wait_at_most(self._popen, TERM_GRACE_SECONDS)
        finally:  # a second Ctrl-C ends the grace period, but not the cleanup
            if self._popen.returncode is None:  # otherwise, the id may have been reused
                descendants += freeze_tree(self.pid)
            signal_group(self.pid, signal.SIGKILL)
            kill_processes(descendants)
            wait_at_most(self._popen, 1.0)  # reap it; a killed process ends at once
            wait_until_gone(descendants)

    def wait(self) -> int:
        """Wait until the child has exited, end what it left running, and return its exit code.

        Raises:
            BaseException: the error that a sink raised.
        """
        returncode = self._popen.wait()
        self._watchdog.stop()
        self._owner.discard(self)
        # Do this first: a leftover process that holds the pipes open would block the readers.
        end_marked_processes(self.mark)
        deadline = time.monotonic() + _READER_GRACE_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        self._discards_lines = True
        self.close_stdin()
        if self._sink_error:
            raise self._sink_error
        return returncode

    def _read_lines(self, stream: IO[bytes], sink: LineSink) -> None:
        pending = bytearray()
        with stream:
            while chunk := os.read(stream.fileno(), 65536):
                # Any byte counts as output: a test runner's dots come long before their newline.
                self._watchdog.note_output()
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
        if self._discards_lines:
            return
        try:
            sink(line)
        except BaseException as error:  # noqa: BLE001 -- wait() raises it in the caller's thread
            self._sink_error, self._discards_lines = error, True
            # In another thread: `end` waits for the child, which may wait for this reader.
            threading.Thread(target=self.end, daemon=True).start()
