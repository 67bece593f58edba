"""Run any other headless coding agent: Codex CLI, Gemini CLI, OpenCode, aider."""

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.agents.notices import (
    NoticeKind,
    classify_whole_text,
    find_closing_notice,
    find_last_notice,
    unwrap_error_json,
)
from orchestrator.agents.resets import parse_reset_time
from orchestrator.agents.wording import (
    contains_words,
    format_one_line,
    quote_last_lines,
    strip_control_characters,
)
from orchestrator.errors import InfrastructureError
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.platform.git_variables import drop_repository_variables
from orchestrator.platform.process import ProcessResult, run
from orchestrator.platform.watchdog import EndReason
from orchestrator.storage.location import RUN_VARIABLE

PROMPT: Final = "{prompt}"
PROMPT_FILE: Final = "{prompt_file}"

_KEEP_BYTES: Final = 256 * 1024
_STDERR_LENGTH: Final = 8000

_ENDED_OUTCOMES: Final = {
    EndReason.WALL_CLOCK: AgentOutcome.WALL_CLOCK,
    EndReason.NO_OUTPUT: AgentOutcome.NO_OUTPUT,
    EndReason.PROCESSES: AgentOutcome.PROCESSES,
    EndReason.US: AgentOutcome.CRASHED,
}


class CommandAgent:
    """A program that works on a prompt and exits with 0 on success.

    Args:
        template: program and arguments. `{prompt}` in one of them is replaced by the prompt,
            `{prompt_file}` by the path of a file that holds it; without either, the prompt is
            passed on standard input. If the program takes options, put `--` before `{prompt}`.
        environment: the environment of the project's own commands; None uses that of this process.
    """

    def __init__(
        self, template: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._template = tuple(template)
        base = drop_repository_variables(os.environ if environment is None else environment)
        self._env = {RUN_VARIABLE: "1", **base}
        self.payer = "its own login or key"
        self.payer_notice = ""

    def preflight(self) -> str:
        """Check that the program exists, and return its path.

        Raises:
            InfrastructureError: it is not on the PATH.
        """
        program = self._template[0] if self._template else ""
        found = shutil.which(program, path=self._env.get("PATH"))
        if not found:
            raise InfrastructureError(
                f"the agent's program was not found: {program or 'agent.command is empty'}",
                "install it, or correct agent.command",
            )
        return found

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Run the program on the prompt in the workspace.

        Of the limits, only wall clock, time without output and processes are enforced. Ctrl-C, or
        an error in `on_event`, ends the program with its child processes, and is raised.

        Raises:
            InfrastructureError: the program cannot be started.
        """
        # An argument cannot hold NUL, and UTF-8 cannot encode a lone surrogate.
        prompt = prompt.replace("\0", "").encode("utf-8", "replace").decode()
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            file = Path(folder) / "prompt.txt"
            file.write_text(prompt, encoding="utf-8")
            try:
                done = self._run_program(prompt, file, workspace, limits, on_event)
            except OSError as error:
                raise InfrastructureError(
                    f"the agent's program cannot be started: {self._template[0]}: {error.strerror}",
                    "correct agent.command; a long prompt needs {prompt_file} or standard input",
                ) from None
        return _build_result(done, limits)

    def _run_program(
        self,
        prompt: str,
        file: Path,
        workspace: Path,
        limits: AgentLimits,
        on_event: events.Listener,
    ) -> ProcessResult:
        has_placeholder = any(PROMPT in each or PROMPT_FILE in each for each in self._template)
        lock = threading.Lock()

        def emit_line(line: bytes) -> None:
            text = strip_control_characters(line.decode("utf-8", "replace")).rstrip()
            if text:
                with lock:  # a thread for each stream, and one listener
                    on_event(events.AgentSpoke(text))

        return run(
            [_fill_placeholders(each, prompt, file) for each in self._template],
            cwd=workspace,
            env=self._env,
            wall_clock=limits.wall_clock_seconds,
            no_output=limits.no_output_seconds,
            most_processes=limits.max_processes,
            stdin=b"" if has_placeholder else prompt.encode(),
            on_line=emit_line,
            keep_bytes=_KEEP_BYTES,
        )


def _fill_placeholders(argument: str, prompt: str, file: Path) -> str:
    # The prompt goes in last: a `{prompt_file}` in it is not a placeholder.
    return prompt.join(part.replace(PROMPT_FILE, str(file)) for part in argument.split(PROMPT))


def _build_result(done: ProcessResult, limits: AgentLimits) -> AgentResult:
    stderr = strip_control_characters(done.stderr.decode("utf-8", "replace"))[-_STDERR_LENGTH:]
    stdout = strip_control_characters(done.stdout.decode("utf-8", "replace")).strip()
    if done.ended_by in _ENDED_OUTCOMES:
        result = AgentResult(_ENDED_OUTCOMES[done.ended_by], _describe_limit(done.ended_by, limits))
    elif found := _find_notice(done, stdout, stderr):
        result = _judge_notice(done, *found)
    elif done.returncode:
        result = AgentResult(
            AgentOutcome.CRASHED, f"{_describe_exit(done)}: {_quote_output(stderr, stdout)}"
        )
    else:
        result = _judge_success(done, stdout, stderr)
    program = Path(done.argv[0]).name
    return replace(result, seconds=done.seconds, stderr_tail=stderr, program=program)


def _describe_limit(ended_by: EndReason, limits: AgentLimits) -> str:
    match ended_by:
        case EndReason.WALL_CLOCK:
            seconds = f"{limits.wall_clock_seconds:g} s"
            return f"ended after {seconds}; raise limits.wall_clock to allow more"
        case EndReason.NO_OUTPUT:
            seconds = f"{limits.no_output_seconds:g} s"
            return f"ended after {seconds} without output; raise limits.no_output to allow more"
        case EndReason.PROCESSES:
            most = f"{limits.max_processes} processes"
            return f"had more than {most}; raise limits.max_processes to allow more"
    return "interrupted"


def _find_notice(done: ProcessResult, stdout: str, stderr: str) -> tuple[NoticeKind, str] | None:
    """Return the notice that the program ended with.

    A program that failed may have printed its work before. One that exited with 0 did its work, as
    far as can be seen, unless its output consists of a notice alone.
    """
    if done.returncode:
        return find_last_notice(stderr) or find_last_notice(stdout)
    if not contains_words(stdout):
        return find_closing_notice(stderr)
    kind = classify_whole_text(stdout)
    return (kind, stdout) if kind else None


def _judge_notice(done: ProcessResult, kind: NoticeKind, notice: str) -> AgentResult:
    message = f"{_describe_exit(done)}: {format_one_line(unwrap_error_json(notice), 500)}"
    if kind is NoticeKind.LIMIT:
        resets_at = parse_reset_time(notice, datetime.now().astimezone())
        if resets_at:
            message += "; set limits.wait_for_reset to wait until then"
        return AgentResult(AgentOutcome.USAGE_LIMIT, message, resets_at=resets_at)
    if kind is NoticeKind.LOGIN:
        message += f"; log in with {done.argv[0]}, or set its key"
        return AgentResult(AgentOutcome.NOT_LOGGED_IN, message)
    return AgentResult(AgentOutcome.API_ERROR, message)


def _judge_success(done: ProcessResult, stdout: str, stderr: str) -> AgentResult:
    if contains_words(stdout):
        return AgentResult(AgentOutcome.COMPLETED, quote_last_lines(stdout))
    message = f"{_describe_exit(done)} and printed nothing on standard output"
    if contains_words(stderr):
        message += f"; on standard error: {quote_last_lines(stderr)}"
    return AgentResult(AgentOutcome.COMPLETED, message, silent=True)


def _describe_exit(done: ProcessResult) -> str:
    return f"{done.argv[0]} exited with {done.returncode}"


def _quote_output(stderr: str, stdout: str) -> str:
    """Return the last lines of standard error, or of standard output if that has no text."""
    return quote_last_lines(stderr if contains_words(stderr) else stdout) or "it printed nothing"
