"""The user's test command: read it, find its program, run it to its end."""

import re
import shlex
import shutil
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from orchestrator.errors import InfrastructureError, UsageError
from orchestrator.models import Case, SuiteOutcome, SuiteReport
from orchestrator.platform import files, process
from orchestrator.platform.child import Channel
from orchestrator.platform.watchdog import EndReason

OUTPUT_BOUND: Final = 200_000
"""Characters of a suite's output that a report keeps: its end."""

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SHELL_OPERATORS: Final = frozenset(";&<>()$`\n")


@dataclass(frozen=True)
class CommandLine:
    """A command as the user wrote it, and as it is executed."""

    text: str
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    """The assignments in front of it: `VAR=value pytest`."""
    by_shell: bool
    """Whether it needs `/bin/sh`, which `argv` then calls."""

    def build_environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Give `env` with the command's own assignments."""
        return {**env, **self.variables}


@dataclass(frozen=True)
class CommandResult:
    """A command that has ended, or never began."""

    outcome: SuiteOutcome | None
    """Set where the way it ended is the whole verdict: not found, timeout, killed."""
    exit_code: int | None
    output: str = ""
    seconds: float = 0.0
    message: str = ""

    def build_report(
        self, line: CommandLine, outcome: SuiteOutcome, cases: tuple[Case, ...] = ()
    ) -> SuiteReport:
        """Give the report of a suite that came to `outcome`."""
        return SuiteReport(
            outcome, self.exit_code, cases, self.seconds, self.output, line.text, self.message
        )


def parse_command(text: str) -> CommandLine:
    """Read a command from the configuration.

    A plain command is executed as it stands; one with shell operators goes to `/bin/sh -e`, so
    that a step that fails is not covered up by the next.

    Raises:
        UsageError: it is empty, its quotes are not closed, or it has a pipe, which would hide the
            exit code of the tests.
    """
    signs = _find_shell_operators(text)
    if "|" in signs:
        raise UsageError(
            f"tests.command has a pipe, which hides the exit code of the tests: {text}",
            "drop the pipe; what the tests print is kept anyway",
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(f"tests.command cannot be read ({error}): {text}", "mend it") from error
    if signs:
        return CommandLine(text, ("/bin/sh", "-e", "-c", text), {}, by_shell=True)
    variables: dict[str, str] = {}
    while words and (assignment := _ASSIGNMENT.fullmatch(words[0])):
        variables[assignment[1]] = assignment[2]
        words.pop(0)
    if not words:
        raise UsageError(
            "tests.command is empty", 'set it, for example: tests.command: "pytest tests/"'
        )
    return CommandLine(text, tuple(words), variables, by_shell=False)


def require_program(line: CommandLine, workspace: Path, env: Mapping[str, str]) -> None:
    """Check that the command can be started in `env`, the child's whole environment.

    Raises:
        UsageError: the workspace is not a directory.
        InfrastructureError: the program is not there.
    """
    if not files.is_folder(workspace):
        raise UsageError(f"{workspace} is not a directory", "name the project's directory")
    program = line.argv[0]
    where = workspace / program if "/" in program else program
    if shutil.which(where, path=env.get("PATH")) is None:
        raise InfrastructureError(
            f"{program} of tests.command is not found",
            "install it in the project's environment, or mend tests.command",
        )


def run_command(
    line: CommandLine,
    argv: Sequence[str],
    workspace: Path,
    env: Mapping[str, str],
    timeout_seconds: float,
    channel: Channel | None = None,
) -> CommandResult:
    """Run `argv`, which stands for the command, to its end, and end what it leaves behind."""
    try:
        done = process.run(
            argv, cwd=workspace, env=env, wall_clock=timeout_seconds, channel=channel
        )
    except OSError as error:
        return CommandResult(SuiteOutcome.NOT_FOUND, None, message=f"{argv[0]}: {error.strerror}")
    output = done.text
    if len(output) > OUTPUT_BOUND:  # between words: no half of a secret
        output = (output[-OUTPUT_BOUND:].split(None, 1) or [""])[-1]
    if done.ended_by is not EndReason.ITSELF:
        text = f"ended after {timeout_seconds:g} seconds"
        return CommandResult(SuiteOutcome.TIMEOUT, None, output, done.seconds, text)
    if died := _find_signal_name(done.returncode, line.by_shell):
        text = f"ended by {died}"
        return CommandResult(SuiteOutcome.CRASHED, done.returncode, output, done.seconds, text)
    # What shells, env and pyenv give for a program that is not there or cannot be executed.
    outcome = SuiteOutcome.NOT_FOUND if done.returncode in (126, 127) else None
    return CommandResult(outcome, done.returncode, output, done.seconds)


def _find_signal_name(code: int, by_shell: bool) -> str:
    """A shell reports a child that died of a signal as 128 and its number."""
    number = -code if code < 0 else code - 128 if by_shell else 0
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if code < 0 else ""


def _find_shell_operators(text: str) -> set[str]:
    """Shell operators that stand outside quotes; `$` and backtick count inside double quotes too.

    `||` is an operator like `&&`, a lone `|` is a pipe.
    """
    signs: set[str] = set()
    pieces = re.findall(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|\|\||.", text.strip(), re.DOTALL)
    for piece in pieces:
        if piece.startswith('"'):
            signs |= {"$", "`"} & set(re.sub(r"\\.", "", piece, flags=re.DOTALL))
        elif piece == "||" or piece in _SHELL_OPERATORS:
            signs.add("&" if piece == "||" else piece)
        elif piece == "|":
            signs.add(piece)
    return signs


def ignore_event(_event: object) -> None:
    """Take an event and do nothing: for callers that do not listen."""
