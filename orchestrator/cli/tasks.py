"""`orchestrator tasks`: run a list of tasks, and see how it stands."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import as_json, as_json_events, config_file, project_directory
from orchestrator.cli.output import find_width, print_lines
from orchestrator.cli.task_options import (
    ParallelCommand,
    add_source_options,
    build_list_options,
    change_list_options,
    list_argument,
    load_summary,
    max_cost_usd,
    parallel,
    project_of_last_list,
)
from orchestrator.cli.task_work import (
    create_listener,
    print_plan,
    report_missing_workers,
    work_on_list,
)
from orchestrator.cli.tasks_clean import clean

if TYPE_CHECKING:
    from orchestrator.tasks.models import ListSummary

_WATCH_SECONDS: Final = 2.0


@click.group(cls=CommandGroup)
def tasks() -> None:
    """Work through a list of tasks: one run each, done when your tests say so.

    FILE is a Markdown file with checkboxes, a prd.json, a folder with a file for each task, or
    `github:LABEL`. A task that is done becomes one commit on the branch of the list, and its box
    is ticked; your other files, HEAD and index stay as they are. See `orchestrator docs tasks`.
    """


@tasks.command(cls=ParallelCommand)
@click.argument("source", metavar="FILE")
@add_source_options
@config_file
@project_directory
@click.option(
    "--new",
    "new_list",
    is_flag=True,
    help="Start although an earlier list of FILE is not finished.",
)
@click.option(
    "--dry-run",
    is_flag=True,
    help="Show order, batches, what is blocked, and the likely cost; spend and write nothing.",
)
@as_json_events
def run(
    source: str,
    project_dir: Path,
    config_file: Path | None,
    new_list: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,  # noqa: ANN401 -- click gives each its own type
) -> int:
    """Work on the tasks of FILE until nothing more can run.

    The exit code is 0 if every task is done but those on hold, 1 if something is left that cannot
    run by itself, and 3 if the list was stopped: by a limit, a breaker, or because something that a
    run needs is missing.
    """
    from orchestrator.cli.run import build_overrides

    overrides = build_overrides({**given, "max_cost_usd": None}, project_dir)
    options = build_list_options(given)
    if dry_run:
        return print_plan(source, project_dir, config_file, overrides, options, as_json=as_json)
    return work_on_list(
        source, project_dir, config_file, overrides, options, new_list=new_list, as_json=as_json
    )


@tasks.command()
@list_argument
@click.option("--all", "everything", is_flag=True, help="Show the lists of all projects, one each.")
@click.option("--watch", is_flag=True, help="Show it again until the list has ended.")
@project_of_last_list
@as_json
def status(
    identity: str, everything: bool, watch: bool, project_dir: Path | None, as_json: bool
) -> None:
    """Show LIST as a board: what runs, what is done, what needs you, cost and time to go.

    LIST is an id from `tasks status --all`, or the beginning of one [default: the project's last].
    """
    if everything:
        print_lines(_list_all(as_json=as_json))
        return
    summary = load_summary(identity, project_dir)
    if watch:
        _watch(summary, as_json=as_json)
    else:
        print_lines(_build_board(summary, as_json=as_json))


def _list_all(*, as_json: bool) -> list[str]:
    from orchestrator.cli.task_lines import iter_list_table, serialize_summary
    from orchestrator.services.task_views import summarize_lists

    summaries = summarize_lists()
    if as_json:
        return [serialize_summary(each) for each in summaries]
    return list(iter_list_table(summaries, find_width()))


def _build_board(summary: "ListSummary", *, as_json: bool) -> list[str]:
    from orchestrator.cli.task_activity import find_activities
    from orchestrator.cli.task_lines import (
        iter_board_lines,
        iter_styled_lines,
        serialize_summary,
    )

    if as_json:
        return [serialize_summary(summary)]
    board = iter_board_lines(summary, find_width(), find_activities(summary.tasks))
    return list(iter_styled_lines(board))  # `print_lines` removes the colours in a pipe


def _watch(summary: "ListSummary", *, as_json: bool) -> None:
    """Show the board each time it changes, until the list has ended."""
    from orchestrator.cli.output import is_terminal
    from orchestrator.tasks.models import ListStatus

    identity, shown = summary.record.id, ""
    while True:
        lines = _build_board(summary, as_json=as_json)
        is_over = summary.record.status is not ListStatus.RUNNING
        key = repr([(each.item.id, each.state, each.reason) for each in summary.tasks])
        if is_terminal() and not as_json:
            click.clear()
            print_lines(lines)
        elif key != shown or is_over:  # in a pipe, times alone are no news
            print_lines(lines if as_json else [*lines, ""])
        shown = key
        if is_over:
            return
        time.sleep(_WATCH_SECONDS)
        summary = load_summary(identity, None)


@tasks.command(cls=ParallelCommand)
@list_argument
@parallel
@max_cost_usd
@click.option("--once", is_flag=True, help="Stop after one task.")
@project_of_last_list
@as_json_events
def resume(identity: str, project_dir: Path | None, as_json: bool, **given: Any) -> int:  # noqa: ANN401 -- click gives each its own type
    """Go on with LIST where it stopped [default: the project's last].

    The list is read again: what you have added, ticked or removed since then counts. Nothing that
    has landed is done twice.
    """
    from orchestrator.services.task_lists import exit_code, resume_list

    record = load_summary(identity, project_dir).record
    listener = create_listener(as_json)
    if record.options.queue:
        report_missing_workers(listener)
    return exit_code(
        resume_list(
            record.id,
            project=record.project,
            listener=listener,
            options=change_list_options(record.options, given),
        )
    )


@tasks.command()
@click.argument("identity", metavar="LIST")
@click.argument("task")
@project_of_last_list
def retry(identity: str, task: str, project_dir: Path | None) -> None:
    """Let TASK of LIST be tried again: it was quarantined, or needs a person.

    LIST is an id, the beginning of one, or `last`. The work itself goes on with `tasks resume`.
    """
    from orchestrator.cli.task_lines import clean_line
    from orchestrator.services.task_views import retry_task

    record = load_summary(identity, project_dir).record
    retry_task(record.id, task, record.project)
    click.echo(f"{clean_line(task)} waits for another run; if no process works on the list:")
    click.echo(f"  orchestrator tasks resume {record.id}")


@tasks.command()
@list_argument
@project_of_last_list
def cancel(identity: str, project_dir: Path | None) -> None:
    """End LIST: its agents are ended, and what has landed stays [default: the project's last]."""
    from orchestrator.services.task_views import cancel_list

    record = load_summary(identity, project_dir).record
    cancel_list(record.id, record.project)
    click.echo(f"{record.id} is cancelled; what has landed stays on the branch {record.branch}")
    click.echo(f"  orchestrator tasks resume {record.id}    # goes on with it after all")
    click.echo("  orchestrator tasks clean                 # shows what can be deleted")


tasks.add_command(clean)
