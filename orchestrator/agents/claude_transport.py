"""Start Claude Code as a `process.Child`, and read and write its lines."""

import contextlib
import itertools
import json
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, Final

from orchestrator.agents.claude_tools import iter_refused_calls
from orchestrator.agents.claude_wire import WireError
from orchestrator.agents.wording import strip_control_characters
from orchestrator.models import AgentLimits
from orchestrator.platform.child import LINE_LIMIT, Child
from orchestrator.platform.watchdog import EndReason

_STDERR_LINES: Final = 100
_STDERR_LINE_LENGTH: Final = 2000

_FRAGMENT: Final = b'{"type":"stream_event"'
"""The start of a part of an unfinished message. They are requested so that a model that writes for
minutes is not taken for a stalled one; the whole message follows, so their content is dropped."""

_MESSAGE_START: Final = re.compile(rb'\{"type":')
_MOST_STARTS: Final = 5
"""Places at which a message is looked for in a line that starts with other text."""

_LINGER_SECONDS: Final = 15.0
"""Time for the program to end by itself after its work is done."""


class ClaudeProcess:
    """The process of one run.

    Args:
        argv: program and arguments.
        cwd: the project.
        env: the complete environment of the program.
        limits: wall clock and time without output after which the program is ended, with its
            child processes.
    """

    def __init__(
        self, argv: Sequence[str], *, cwd: Path, env: Mapping[str, str], limits: AgentLimits
    ) -> None:
        self._argv, self._cwd, self._env, self._limits = tuple(argv), cwd, env, limits
        self._child: Child | None = None
        self._waiter: threading.Thread | None = None
        self._last_line_at = time.monotonic()
        self._lines: SimpleQueue[bytes | None] = SimpleQueue()
        """Lines of the program's output; None marks its end."""
        self._stderr: deque[str] = deque(maxlen=_STDERR_LINES)
        self.returncode: int | None = None
        self.refused: set[str] = set()
        """Ids of the tool calls that were not executed, up to the last message read."""

    def start(self) -> None:
        """Start the program.

        Raises:
            OSError: it cannot be started.
        """

        def take_line(line: bytes) -> None:
            self._last_line_at = time.monotonic()  # a fragment is a sign of life too
            if not line.startswith(_FRAGMENT):
                self._lines.put(line)

        def wait_for_end(child: Child) -> None:
            try:
                self.returncode = child.wait()
            finally:
                self._lines.put(None)

        self._child = Child(
            self._argv,
            cwd=self._cwd,
            env=self._env,
            on_stdout=take_line,
            on_stderr=self._append_stderr,
            wall_clock=self._limits.wall_clock_seconds,
            no_output=self._limits.no_output_seconds,
            most_processes=self._limits.max_processes,
            stdin=True,
        )
        self._waiter = threading.Thread(target=wait_for_end, args=(self._child,), daemon=True)
        self._waiter.start()

    def write(self, data: bytes) -> None:
        """Write to the program. If it does not read, its limits end it."""
        if self._child:
            self._child.write(data)

    def end_input(self) -> None:
        """Close the program's standard input, after which it ends by itself."""
        if self._child:
            self._child.close_stdin()

    def read_messages(self, is_over: Callable[[], bool]) -> Iterator[dict[str, Any]]:
        """Yield the program's messages until it ends.

        Args:
            is_over: returns whether the work is done. Then the program has some seconds to end by
                itself before it is ended.

        Raises:
            WireError: a line is too long or is broken JSON.
        """
        while (line := self._read_next_line(is_over())) is not None:
            message = self._parse_line(line)
            if message is not None:
                self.refused.update(iter_refused_calls(message))
                yield message

    def _read_next_line(self, over: bool) -> bytes | None:
        if not over:
            return self._lines.get()
        while (left := self._last_line_at + _LINGER_SECONDS - time.monotonic()) > 0:
            with contextlib.suppress(Empty):
                return self._lines.get(timeout=left)
        self.end(EndReason.ITSELF)  # its work was done: this is a normal end
        return self._lines.get()

    def end(self, by: EndReason = EndReason.US) -> None:
        """End the program with its child processes, and wait for that."""
        if self._child and self._waiter:
            if self._waiter.is_alive():
                self._child.end(by)
            self._waiter.join()

    @property
    def ended_by(self) -> EndReason:
        """The reason why the program ended."""
        return self._child.ended_by if self._child else EndReason.ITSELF

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._child.seconds if self._child else 0.0

    @property
    def stderr_tail(self) -> str:
        """The last lines of standard error."""
        return "\n".join(self._stderr)

    def _append_stderr(self, line: bytes) -> None:
        text = strip_control_characters(
            line[:_STDERR_LINE_LENGTH].decode("utf-8", "replace")
        ).rstrip()
        if text:
            self._stderr.append(text)

    def _parse_line(self, line: bytes) -> dict[str, Any] | None:
        if not line.lstrip().startswith(b"{"):
            return self._parse_after_text(line)
        if len(line) >= LINE_LIMIT:
            raise WireError(f"a message of more than {LINE_LIMIT >> 20} MiB")
        try:
            message = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise WireError(f"a message that is not JSON: {error}") from error
        return message if isinstance(message, dict) else None

    def _parse_after_text(self, line: bytes) -> dict[str, Any] | None:
        """Parse a line that starts with text that is not the program's own.

        It is a warning printed to the wrong stream, or a wrapper's text without an end of line,
        which a message may follow.
        """
        starts = itertools.islice(_MESSAGE_START.finditer(line), _MOST_STARTS)
        for start in starts:
            with contextlib.suppress(WireError):
                message = self._parse_line(line[start.start() :])
                self._append_stderr(line[: start.start()])
                return message
        self._append_stderr(line)
        return None
