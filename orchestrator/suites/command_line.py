"""Parse the user's test command, check that its program exists, and run it."""

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
from orchestrator.platform.child import Channel, LineSink
from orchestrator.platform.escape_sequences import strip_escape_sequences
from orchestrator.platform.watchdog import EndReason

OUTPUT_BOUND: Final = 200_000
"""Limit for the output in a report, in characters; the end of the output is stored."""

_ASSIGNMENT: Final = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_SHELL_OPERATORS: Final = frozenset(";&<>()$`\n")


@dataclass(frozen=True)
class CommandLine:
    """A command as the user wrote it, and the arguments that are executed."""

    text: str
    argv: tuple[str, ...]
    variables: Mapping[str, str]
    """The assignments before the program: `VAR=value pytest`."""
    by_shell: bool
    """Whether it needs a shell; `argv` then starts with `/bin/sh`."""

    def build_environment(self, env: Mapping[str, str]) -> dict[str, str]:
        """Return `env` with the command's own assignments."""
        return {**env, **self.variables}


@dataclass(frozen=True)
class CommandResult:
    """The result of a command that has ended, or that could not be started."""

    outcome: SuiteOutcome | None
    """Set if how it ended determines the outcome: not found, timeout, killed by a signal."""
    exit_code: int | None
    output: str = ""
    seconds: float = 0.0
    message: str = ""

    def build_report(
        self, line: CommandLine, outcome: SuiteOutcome, cases: tuple[Case, ...] = ()
    ) -> SuiteReport:
        """Return the report of a suite with this outcome."""
        return SuiteReport(
            outcome, self.exit_code, cases, self.seconds, self.output, line.text, self.message
        )


def parse_command(text: str) -> CommandLine:
    """Parse a command from the configuration.

    A plain command is executed directly; one with shell operators is executed by `/bin/sh -e`, so
    that a successful last step does not hide that an earlier one failed.

    Raises:
        UsageError: it is empty, its quotes are not closed, or it has a pipe, which would hide the
            exit code of the tests.
    """
    operators = _find_shell_operators(text)
    if "|" in operators:
        raise UsageError(
            f"tests.command has a pipe, which hides the exit code of the tests: {text}",
            "remove the pipe; the output of the tests is stored anyway",
        )
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise UsageError(
            f"tests.command cannot be parsed ({error}): {text}", "close the quotation"
        ) from error
    if operators:
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
        InfrastructureError: the program does not exist.
    """
    if not files.is_folder(workspace):
        raise UsageError(f"{workspace} is not a directory", "name the project's directory")
    program = line.argv[0]
    where = workspace / program if "/" in program else program
    if shutil.which(where, path=env.get("PATH")) is None:
        raise InfrastructureError(
            f"{program} of tests.command is not found",
            "install it in the project's environment, or correct tests.command",
        )


def run_command(
    line: CommandLine,
    argv: Sequence[str],
    workspace: Path,
    env: Mapping[str, str],
    timeout_seconds: float,
    channel: Channel | None = None,
    on_line: LineSink | None = None,
) -> CommandResult:
    """Run a command, and then end the processes that it has left running.

    Args:
        line: the command.
        argv: the arguments to execute, which may differ from those of `line`.
        workspace: where it starts.
        env: its whole environment.
        timeout_seconds: after which it is ended.
        channel: a pipe that it inherits, if any.
        on_line: called with each line of its output, in other threads.
    """
    try:
        done = process.run(
            argv,
            cwd=workspace,
            env=env,
            wall_clock=timeout_seconds,
            on_line=on_line,
            channel=channel,
        )
    except OSError as error:
        return CommandResult(SuiteOutcome.NOT_FOUND, None, message=f"{argv[0]}: {error.strerror}")
    output = strip_escape_sequences(done.text)
    if len(output) > OUTPUT_BOUND:  # between words: half of a secret would not be masked
        output = (output[-OUTPUT_BOUND:].split(None, 1) or [""])[-1]
    if done.ended_by is not EndReason.ITSELF:
        text = f"ended after {timeout_seconds:g} seconds (tests.timeout)"
        return CommandResult(SuiteOutcome.TIMEOUT, None, output, done.seconds, text)
    if signal_name := _find_signal_name(done.returncode, line.by_shell):
        text = f"ended by {signal_name}"
        return CommandResult(SuiteOutcome.CRASHED, done.returncode, output, done.seconds, text)
    # Shells, env and pyenv exit with 127 if a program is not found, 126 if it is not executable.
    outcome = SuiteOutcome.NOT_FOUND if done.returncode in (126, 127) else None
    return CommandResult(outcome, done.returncode, output, done.seconds)


def _find_signal_name(code: int, by_shell: bool) -> str:
    """Return the name of the signal that ended a command; empty if none did.

    A shell exits with 128 plus the number of the signal that ended its child.
    """
    number = -code if code < 0 else code - 128 if by_shell else 0
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}" if code < 0 else ""


def _find_shell_operators(text: str) -> set[str]:
    """Return the shell operators outside quotes; `$` and backtick also inside double quotes.

    `|` is in the result only for a pipe; `||` is returned as `&`, like `&&`.
    """
    operators: set[str] = set()
    pieces = re.findall(r"\\.|'[^']*'|\"(?:\\.|[^\"\\])*\"|\|\||.", text.strip(), re.DOTALL)
    for piece in pieces:
        if piece.startswith('"'):
            operators |= {"$", "`"} & set(re.sub(r"\\.", "", piece, flags=re.DOTALL))
        elif piece == "||" or piece in _SHELL_OPERATORS:
            operators.add("&" if piece == "||" else piece)
        elif piece == "|":
            operators.add(piece)
    return operators


def ignore_event(_event: object) -> None:
    """Do nothing: the default for callers that need no events."""
