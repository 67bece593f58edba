"""`orchestrator run` and `orchestrator resume`."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.options import (
    as_json_events,
    config_file,
    project_directory,
    project_of_last_run,
)
from orchestrator.cli.output import print_lines
from orchestrator.cli.text_argument import TextCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestrator.config import Override
    from orchestrator.events import Listener

_KEYS: Final = {
    "max_retries": ("learning.max_retries", "--max-retries"),
    "model": ("claude.model", "--model"),
    "max_cost_usd": ("limits.max_cost_usd", "--max-cost-usd"),
}


@click.command(cls=TextCommand)
@click.argument("task", required=False)
@click.option(
    "-f",
    "--file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Read the task from FILE; `-` is standard input.",
)
@project_directory
@click.option("--tests", metavar="CMD", help="Test command [default: configured, or detected].")
@click.option("--max-retries", type=int, metavar="N", help="Maximum number of retries.")
@config_file
@click.option("--no-auto-retry", is_flag=True, help="Pause after a failed attempt; see `resume`.")
@click.option("--model", metavar="M", help="Model for Claude Code.")
@click.option("--max-cost-usd", type=float, metavar="X", help="Cost limit for the whole run.")
@click.option(
    "--isolate", is_flag=True, help="Work in a separate git worktree; leave the result on a branch."
)
@click.option(
    "--queue", is_flag=True, help="Hand the run to a worker; leave the result on a branch."
)
@click.option(
    "--allow-test-edits",
    is_flag=True,
    help="Keep the agent's edits to the tests: report them, but do not revert them.",
)
@click.option(
    "--dangerously-skip-permissions",
    is_flag=True,
    help="Let Claude Code do everything without asking. Use only in a sandbox.",
)
@click.option(
    "--explain-guard", is_flag=True, help="List the guarded files, with the reason for each."
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show the plan, the prompt and the guarded files; spend and write nothing.",
)
@as_json_events
def run(
    task: str | None,
    file: Path | None,
    project_dir: Path,
    config_file: Path | None,
    explain_guard: bool,
    dry_run: bool,
    queue: bool,
    as_json: bool,
    **options: Any,  # noqa: ANN401 -- click gives each its own type
) -> int:
    """Let the agent work on TASK until the tests pass.

    After each failed attempt, a rule is added to CLAUDE.md, and the agent tries again.

    TASK is a text in quotes, of more than one word. A longer task comes from a file (-f FILE) or
    from standard input: `orchestrator run < task.md`.
    """
    from orchestrator.cli.task_source import read_task

    text = read_task(task, file)  # before the imports, which take a second
    if queue:
        from orchestrator.cli.task_work import run_in_queue

        given = build_overrides({**options, "max_cost_usd": None}, project_dir)
        return run_in_queue(
            text, project_dir, config_file, given, options, dry_run=dry_run, as_json=as_json
        )
    overrides = build_overrides(options, project_dir)
    if dry_run:
        return _print_preview(text, project_dir, config_file, overrides, as_json=as_json)
    from orchestrator.services.runs import exit_code, start_run

    listener = create_listener(as_json, explain_guard=explain_guard)
    result = start_run(text, project_dir, config_file, overrides, listener=listener)
    return exit_code(result)


def _print_preview(
    task: str,
    project: Path,
    config_file: Path | None,
    overrides: "list[Override]",
    *,
    as_json: bool,
) -> int:
    from orchestrator.cli.preview_lines import iter_preview_lines, serialize_preview
    from orchestrator.services.dry_run import preview_run

    preview = preview_run(task, project, config_file, overrides)
    if as_json:
        click.echo(json.dumps(serialize_preview(preview)))
    else:
        print_lines(iter_preview_lines(preview))
    if preview.problem:
        raise preview.problem
    return 0


@click.command()
@click.argument("run", default="last")
@click.option("--max-cost-usd", type=float, metavar="X", help="New cost limit for the whole run.")
@project_of_last_run
@as_json_events
def resume(run: str, max_cost_usd: float | None, project_dir: Path, as_json: bool) -> int:
    """Continue RUN where it stopped [default: the project's last run].

    Finished steps are not repeated. RUN is an id from `orchestrator runs`, or a prefix of one.
    The run keeps the settings it was started with, except for limits given here or in the
    environment (ORCHESTRATOR_LIMITS_..., ORCHESTRATOR_TESTS_TIMEOUT). While the tests have given no
    verdict yet, `tests.*` is read again.
    """
    from orchestrator.config import Override
    from orchestrator.services.runs import exit_code, resume_run

    key, flag = _KEYS["max_cost_usd"]
    given = [] if max_cost_usd is None else [max_cost_usd]
    limits = [Override(key, value, f"command line {flag}") for value in given]
    listener = create_listener(as_json)
    return exit_code(resume_run(run, project=project_dir, listener=listener, limits=limits))


def build_overrides(options: "Mapping[str, Any]", project_dir: Path) -> "list[Override]":
    """Return the settings that the options of a command decide."""
    from orchestrator.config import Override

    given = [
        Override(key, options[name], f"command line {flag}")
        for name, (key, flag) in _KEYS.items()
        if options.get(name) is not None
    ]
    if options.get("tests") is not None:
        from orchestrator.platform.project import resolve_project
        from orchestrator.services.suite_choice import build_test_overrides

        project = resolve_project(project_dir)
        given += build_test_overrides(options["tests"], project, os.environ)
    if options.get("no_auto_retry"):
        given.append(Override("learning.auto_retry", False, "command line --no-auto-retry"))
    if options.get("allow_test_edits"):
        given.append(Override("tests.guard", "flag", "command line --allow-test-edits"))
    if options.get("isolate"):
        given.append(Override("workspace.isolate", True, "command line --isolate"))
    if options.get("dangerously_skip_permissions"):
        flag = "--dangerously-skip-permissions"
        given.append(Override("claude.dangerously_skip_permissions", True, f"command line {flag}"))
    return given


def create_listener(as_json: bool, *, explain_guard: bool = False) -> "Listener":
    """Return a listener that prints a run's events: as JSON lines, or for people."""
    if as_json:
        from orchestrator.cli.json_lines import print_json

        return print_json
    from orchestrator.cli.console import Console

    console = Console(explain_guard=explain_guard)
    # After Ctrl-C, the live line would stay on the terminal and cover what is printed next.
    click.get_current_context().call_on_close(console.close)
    return console
