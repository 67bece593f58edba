"""The `orchestrator` command, and the one place that turns errors into exit codes."""

import atexit
import io
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import Final, NoReturn

import click

from orchestrator.cli.command_group import RunByDefault
from orchestrator.cli.completion import completion
from orchestrator.cli.config import config
from orchestrator.cli.demo import demo
from orchestrator.cli.docs import docs
from orchestrator.cli.doctor import doctor
from orchestrator.cli.help import show_help, show_version
from orchestrator.cli.hooks import hook, hooks
from orchestrator.cli.init import init
from orchestrator.cli.learnings import learnings
from orchestrator.cli.output import make_output_tolerant, print_error, report_lost_output
from orchestrator.cli.report import report_failure
from orchestrator.cli.review import review
from orchestrator.cli.rules import rules
from orchestrator.cli.run import resume, run
from orchestrator.cli.runs import runs
from orchestrator.cli.sessions import sessions
from orchestrator.cli.signals import handle_signals
from orchestrator.cli.stats import stats
from orchestrator.cli.tasks import tasks
from orchestrator.cli.teach import teach
from orchestrator.cli.teacher import teacher
from orchestrator.cli.trust import offer_trust, trust
from orchestrator.cli.undo import undo
from orchestrator.cli.values import sanitize_text, shorten_text
from orchestrator.cli.worker import worker, workers
from orchestrator.errors import LoopError, UntrustedError, with_hint
from orchestrator.masking import mask_text
from teacher.errors import NoKey, TeacherError, TeacherMisconfigured

EXIT_CONFIGURATION: Final = 2
EXIT_INFRASTRUCTURE: Final = 3
EXIT_BUG: Final = 4
EXIT_INTERRUPTED: Final = 130
_SECTIONS: Final = {
    "Start": ("init", "run", "tasks", "resume", "undo", "demo"),
    "See": ("runs", "sessions", "stats", "docs", "help", "version"),
    "Learn": ("rules", "review", "report-failure", "teach", "learnings"),
    "Set up": ("doctor", "config", "trust", "teacher", "hooks", "hook", "completion"),
    "Many machines": ("worker", "workers"),
}
"""The commands by what people do; those that are not here are listed at the end."""
_LONGEST_REPORT: Final = 20_000
_LONGEST_ERROR: Final = 2_000
"""Characters of an error that are printed. The record and the logs have all of it."""


@click.group(
    cls=RunByDefault,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
    sections=_SECTIONS,
)
@click.version_option(package_name="prompt-learning-loop", prog_name="orchestrator")
def cli() -> None:
    """Run a coding agent on your repository and make it learn from its failures.

    Your tests decide whether the task is solved. Each failure is sent to a teacher model, which
    answers with a rule. The rule is added to CLAUDE.md, and the agent tries again.

    `orchestrator "TASK"` is short for `orchestrator run "TASK"`. A single word is never a task.

    \b
    Exit codes: 0 solved (or completed), 1 not solved, 2 invalid usage or
    configuration, 3 something required is missing or unavailable, 4 a bug in
    this program, 130 interrupted.
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines


COMMANDS: Final = (
    *(init, doctor, run, tasks, resume, undo, runs, sessions, stats),
    *(report_failure, teach, teacher),
    *(rules, review, learnings, hooks, hook, config, trust, demo),
    *(worker, workers, docs, show_help, show_version, completion),
)

for command in COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line, and turn every error into one clear line and an exit code.

    Args:
        arguments: those after the program's name; those of this process if None.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # an ASCII terminal must not make a run fail
            stream.reconfigure(errors="replace")
    try:
        # As Ctrl-C does: children are ended, and the state is saved.
        with handle_signals(_handle_as_interrupt, signal.SIGTERM, signal.SIGHUP):
            code = _run_command(arguments)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _print_error("interrupted")
        code = EXIT_INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)  # a help page, which must not be cut
        code = error.exit_code
    except click.ClickException as error:
        text = io.StringIO()
        error.show(text)
        print_error(shorten_text(text.getvalue(), _LONGEST_ERROR))
        code = error.exit_code
    except LoopError as error:
        _print_error(_complete_message(error))
        code = error.exit_code
    except TeacherError as error:
        _print_error(_complete_message(error))
        wrong = isinstance(error, TeacherMisconfigured) and not isinstance(error, NoKey)
        code = EXIT_CONFIGURATION if wrong else EXIT_INFRASTRUCTURE
    except Exception as error:  # noqa: BLE001 -- the last handler: a bug gets a report, not a traceback
        code = _report_bug(error)
    sys.exit(code if isinstance(code, int) else 0)


def _run_command(arguments: Sequence[str] | None) -> object:
    """Run a command; start it again if the user trusts the settings that it stopped at."""
    while True:
        try:
            return cli.main(arguments, prog_name="orchestrator", standalone_mode=False)
        except UntrustedError as error:
            if not offer_trust(error):
                raise


def program() -> NoReturn:
    """Run the command line of this process, and end the process.

    The interpreter is not shut down properly. A shutdown visits every object of the loaded
    libraries, which takes longer than everything else at the end of a run, and threads that these
    libraries leave running may crash it, which would lose the exit code.
    """
    make_output_tolerant()
    try:
        main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0
    report_lost_output()
    # os._exit runs no exit handlers, but one closes the engine of durable runs.
    atexit._run_exitfuncs()
    os._exit(code)


def _handle_as_interrupt(number: int, frame: FrameType | None) -> None:
    # asyncio replaces the handler of Ctrl-C while it runs; it has to get this signal too.
    handler = signal.getsignal(signal.SIGINT)
    if not callable(handler):
        raise KeyboardInterrupt
    handler(number, frame)


def _print_error(message: str) -> None:
    # The message may quote a project's files or a child's output: control characters could change
    # the terminal, and a URL may hold a password. Masked before it is cut: half a secret would not
    # be recognized.
    shown = shorten_text(sanitize_text(mask_text(message)), _LONGEST_ERROR)
    print_error(f"orchestrator: {shown}")


def _complete_message(error: LoopError | TeacherError) -> str:
    """Return an error with its hint, and with the lines to paste for a setting that it names."""
    if not error.hint:
        return str(error)
    from orchestrator.config.setting_hints import complete_hint

    return with_hint(error.message, complete_hint(error.hint))


def _report_bug(error: Exception) -> int:
    frames = mask_text("".join(traceback.format_exception(error)))
    click.echo(
        "orchestrator: this is a bug in orchestrator. Nothing in your project was lost, and the "
        "run's record is retained.\nPlease report it with the text below (check it for private "
        "data first):\n\n"
        f"prompt-learning-loop {_find_version()}, "
        f"Python {sys.version.split()[0]}, {sys.platform}\n"
        f"{shorten_text(frames, _LONGEST_REPORT)}",
        err=True,
    )
    return EXIT_BUG


def _find_version() -> str:
    from importlib import metadata

    try:
        return metadata.version("prompt-learning-loop")
    except metadata.PackageNotFoundError:
        return "(not installed)"
