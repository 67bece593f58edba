"""Any headless coding agent that is a program: Codex CLI, Gemini CLI, OpenCode, aider."""

import os
import shutil
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from orchestrator import events
from orchestrator.agents.claude_environment import RUN_MARKER
from orchestrator.agents.wording import last_lines, plain
from orchestrator.errors import InfrastructureError
from orchestrator.models import AgentLimits, AgentOutcome, AgentResult
from orchestrator.process import Completed, EndedBy, run

PROMPT: Final = "{prompt}"
PROMPT_FILE: Final = "{prompt_file}"

_KEEP_BYTES: Final = 256 * 1024
_STDERR_LENGTH: Final = 8000

_ENDED: Final = {
    EndedBy.WALL_CLOCK: AgentOutcome.WALL_CLOCK,
    EndedBy.NO_OUTPUT: AgentOutcome.NO_OUTPUT,
    EndedBy.PROCESSES: AgentOutcome.PROCESSES,
    EndedBy.US: AgentOutcome.CRASHED,
}


class CommandAgent:
    """A program that works on a prompt and exits with 0 when it did.

    Args:
        template: program and arguments. `{prompt}` in one of them is replaced by the prompt,
            `{prompt_file}` by the path of a file that holds it; with neither, the prompt comes on
            standard input. Where the program takes options, put `--` before `{prompt}`.
        environment: the environment that the project's own commands run in; None takes ours.
    """

    def __init__(
        self, template: Sequence[str], *, environment: Mapping[str, str] | None = None
    ) -> None:
        self._template = tuple(template)
        self._env = {RUN_MARKER: "1", **(os.environ if environment is None else environment)}

    def preflight(self) -> str:
        """Make sure that the program is there; gives its path.

        Raises:
            InfrastructureError: it is not.
        """
        program = self._template[0] if self._template else ""
        found = shutil.which(program, path=self._env.get("PATH"))
        if not found:
            raise InfrastructureError(
                f"the agent's program is not there: {program or 'agent.command is empty'}",
                "install it, or mend agent.command",
            )
        return found

    def warm(self) -> None:
        """Nothing to import."""

    def run(
        self, prompt: str, workspace: Path, limits: AgentLimits, on_event: events.Listener
    ) -> AgentResult:
        """Run the program on the prompt in the workspace.

        Of the limits, wall clock, silence and processes are kept; the rest is the program's own.
        Ctrl-C, or an error in `on_event`, ends the program's whole tree and goes on upwards.

        Raises:
            InfrastructureError: the program cannot be started.
        """
        # An argument holds no NUL, and no encoding takes a lone surrogate.
        prompt = prompt.replace("\0", "").encode("utf-8", "replace").decode()
        with tempfile.TemporaryDirectory(prefix="orchestrator-") as folder:
            file = Path(folder) / "prompt.txt"
            file.write_text(prompt, encoding="utf-8")
            try:
                done = self._run(prompt, file, workspace, limits, on_event)
            except OSError as error:
                raise InfrastructureError(
                    f"the agent's program cannot be started: {self._template[0]}: {error.strerror}",
                    "mend agent.command; a long prompt needs {prompt_file} or standard input",
                ) from None
        return _result(done, limits)

    def _run(
        self,
        prompt: str,
        file: Path,
        workspace: Path,
        limits: AgentLimits,
        on_event: events.Listener,
    ) -> Completed:
        named = any(PROMPT in word or PROMPT_FILE in word for word in self._template)
        one_at_a_time = threading.Lock()

        def tell(line: bytes) -> None:
            text = plain(line.decode("utf-8", "replace")).rstrip()
            if text:
                with one_at_a_time:  # two streams, one listener
                    on_event(events.AgentSpoke(text))

        return run(
            [_filled(word, prompt, file) for word in self._template],
            cwd=workspace,
            env=self._env,
            wall_clock=limits.wall_clock_seconds,
            no_output=limits.no_output_seconds,
            most_processes=limits.max_processes,
            stdin=b"" if named else prompt.encode(),
            on_line=tell,
            keep_bytes=_KEEP_BYTES,
        )


def _filled(word: str, prompt: str, file: Path) -> str:
    # In this order, so that a prompt that holds `{prompt_file}` is left as it is.
    return prompt.join(part.replace(PROMPT_FILE, str(file)) for part in word.split(PROMPT))


def _result(done: Completed, limits: AgentLimits) -> AgentResult:
    stderr = plain(done.stderr.decode("utf-8", "replace"))[-_STDERR_LENGTH:]
    said = plain(done.stdout.decode("utf-8", "replace")).strip()
    outcome = _ENDED.get(done.ended_by, AgentOutcome.CRASHED)
    match outcome:
        case AgentOutcome.WALL_CLOCK:
            message = f"ended after {limits.wall_clock_seconds:g} s; limits.wall_clock allows more"
        case AgentOutcome.NO_OUTPUT:
            message = (
                f"ended after {limits.no_output_seconds:g} s of silence; "
                "limits.no_output allows more"
            )
        case AgentOutcome.PROCESSES:
            message = (
                f"had more than {limits.max_processes} processes; limits.max_processes allows more"
            )
        case _ if done.ended_by is EndedBy.US:
            message = "interrupted"
        case _ if done.returncode == 0:
            outcome, message = AgentOutcome.COMPLETED, last_lines(said)
        case _:
            message = f"{done.argv[0]} exited with {done.returncode}: {last_lines(stderr or said)}"
    return AgentResult(outcome, message, seconds=done.seconds, stderr_tail=stderr)
