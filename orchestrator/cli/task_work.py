"""Start the work on a list of tasks and print what happens, or what would happen."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.output import find_width, print_lines
from orchestrator.cli.task_options import build_list_options

if TYPE_CHECKING:
    from orchestrator.config import Override
    from orchestrator.events import Listener
    from orchestrator.tasks.models import ListOptions, TaskList

_NO_WORKER: Final = (
    "no worker is alive, so the runs wait in the queue; start one: `orchestrator worker`"
)


def work_on_list(
    source: str,
    project: Path,
    config_file: Path | None,
    overrides: "list[Override]",
    options: "ListOptions",
    *,
    tasks: "TaskList | None" = None,
    new_list: bool = False,
    as_json: bool,
) -> int:
    """Start a list, print what happens, and return the exit code.

    Args:
        source: what the list is read from.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: settings that take precedence.
        options: how it is worked on.
        tasks: the list, if it was not read from a source.
        new_list: whether to start it although an earlier list of the source is not finished.
        as_json: whether to print JSON lines.
    """
    from orchestrator.services.task_lists import exit_code, start_list

    listener = create_listener(as_json)
    if options.queue:
        report_missing_workers(listener)
    return exit_code(
        start_list(
            source,
            project,
            config_file,
            overrides,
            options,
            tasks=tasks,
            new_list=new_list,
            listener=listener,
        )
    )


def report_missing_workers(listener: "Listener") -> None:
    """Report that runs in the queue will wait, if no worker is alive that takes jobs."""
    from orchestrator.events import Notice
    from orchestrator.storage.state_directory import resolve_state_directory
    from orchestrator.tasks.fleet.models import WorkerState
    from orchestrator.tasks.fleet.workers import list_workers

    found = list_workers(resolve_state_directory())
    if not any(each.is_alive and each.state is WorkerState.SERVING for each in found):
        listener(Notice(_NO_WORKER))


def print_plan(
    source: str,
    project: Path,
    config_file: Path | None,
    overrides: "list[Override]",
    options: "ListOptions",
    *,
    tasks: "TaskList | None" = None,
    as_json: bool,
) -> int:
    """Print what a list would do; see `work_on_list` for the arguments.

    Raises:
        UsageError: it would not start.
    """
    from orchestrator.cli.task_plan_lines import iter_plan_lines, serialize_plan
    from orchestrator.errors import UsageError
    from orchestrator.services.task_preview import preview_list

    preview = preview_list(source, project, config_file, overrides, options, tasks=tasks)
    if as_json:
        click.echo(serialize_plan(preview))
    else:
        print_lines(iter_plan_lines(preview, source, find_width()))
    if preview.problem:
        raise UsageError(preview.problem)
    return 0


def create_listener(as_json: bool) -> "Listener":
    """Return a listener that prints the events of a list: as JSON lines, or for people."""
    if as_json:
        from orchestrator.cli.json_lines import print_json

        return print_json
    from orchestrator.cli.task_console import TaskConsole

    console = TaskConsole()
    # After Ctrl-C, the live lines would stay on the terminal and cover what is printed next.
    click.get_current_context().call_on_close(console.close)
    return console


def run_in_queue(
    text: str,
    project: Path,
    config_file: Path | None,
    overrides: "list[Override]",
    given: Mapping[str, Any],
    *,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Hand one task to the workers, print what happens, and return the exit code.

    Args:
        text: the task.
        project: the project's directory.
        config_file: the configuration file; the project's own if None.
        overrides: settings that take precedence.
        given: the options of `orchestrator run`.
        dry_run: whether only to show what would be done.
        as_json: whether to print JSON.

    Raises:
        UsageError: an option makes no sense with a queue.
    """
    from orchestrator.errors import UsageError

    if given.get("isolate"):
        raise UsageError(
            "--queue and --isolate exclude each other: a worker has a work tree of its own",
            "leave out --isolate; the work is left on a branch",
        )
    from orchestrator.tasks.reading import build_text_list

    options = build_list_options({**given, "queue": True})
    work = print_plan if dry_run else work_on_list
    listed = build_text_list(text)
    return work("", project, config_file, overrides, options, tasks=listed, as_json=as_json)
