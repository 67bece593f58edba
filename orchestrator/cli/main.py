"""The `orchestrator` command and the one door through which errors leave it."""

import difflib
import sys
import traceback
from importlib import metadata
from typing import Final, NoReturn

import click

from orchestrator.cli.config import config
from orchestrator.cli.demo import demo
from orchestrator.cli.report import report_failure
from orchestrator.cli.run import resume, run
from orchestrator.cli.runs import runs
from orchestrator.errors import LoopError, UsageError

EXIT_BUG: Final = 4
EXIT_INTERRUPTED: Final = 130


class RunByDefault(click.Group):
    """A group in which a first word that is no command is the task of `run`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put `run` before a task that stands alone."""
        own = {name for parameter in self.get_params(ctx) for name in parameter.opts}
        if args and args[0] not in self.commands and args[0] not in own:
            self._refuse_a_slip(args[0])
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def _refuse_a_slip(self, word: str) -> None:
        close = difflib.get_close_matches(word, self.commands, n=1)
        if close and not any(character.isspace() for character in word):
            raise UsageError(
                f"there is no command `{word}`; did you mean `{close[0]}`?",
                f"if it is a task: orchestrator run {word}",
            )


@click.group(
    cls=RunByDefault,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    no_args_is_help=True,
)
@click.version_option(package_name="prompt-learning-loop", prog_name="orchestrator")
def cli() -> None:
    """Run a coding agent on your repository and make it learn from its failures.

    Your tests give the verdict. A failure goes to a teacher model, which answers with a rule; the
    rule goes into CLAUDE.md, and the agent tries again.

    `orchestrator "TASK"` is short for `orchestrator run "TASK"`.

    \b
    Exit codes: 0 solved (or done), 1 not solved, 2 wrong usage or configuration,
    3 something needed is missing or down, 4 a bug of ours, 130 interrupted.
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines


for command in (run, resume, runs, report_failure, config, demo):
    cli.add_command(command)


def main() -> NoReturn:
    """Run the command line, and turn whatever escapes into one clear line and an exit code."""
    try:
        code = cli.main(standalone_mode=False)
    except click.exceptions.Exit as error:
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        _say("interrupted")
        code = EXIT_INTERRUPTED
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except BrokenPipeError:
        # Whoever read our output has had enough; Python would complain once more at exit.
        sys.stderr.close()
        code = 0
    except LoopError as error:
        _say(str(error))
        code = error.exit_code
    except Exception as error:  # noqa: BLE001 -- the last door: a bug gets a report, not a crash
        code = _bug(error)
    sys.exit(code if isinstance(code, int) else 0)


def _say(message: str) -> None:
    click.echo(f"orchestrator: {message}", err=True)


def _bug(error: Exception) -> int:
    frames = "".join(traceback.format_exception(error))
    click.echo(
        "orchestrator: this is a bug of ours. Nothing in your project was lost; the run's record "
        "is kept.\nPlease report it with the text below (look through it first):\n\n"
        f"prompt-learning-loop {metadata.version('prompt-learning-loop')}, "
        f"Python {sys.version.split()[0]}, {sys.platform}\n{frames}",
        err=True,
    )
    return EXIT_BUG
