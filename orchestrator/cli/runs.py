"""`orchestrator runs`: list, show, prune runs, and print their events."""

import math
from pathlib import Path

import click

from orchestrator.cli.command_group import CommandGroup
from orchestrator.cli.options import as_json, config_file, project_directory, project_of_last_run
from orchestrator.cli.output import find_width, print_lines


def _require_number(
    _context: click.Context, _parameter: click.Parameter, value: float | None
) -> float | None:
    """Reject `nan`, which passes every range check, because each comparison with it is false."""
    if value is not None and math.isnan(value):
        raise click.BadParameter("nan is not a number; give a number of days")
    return value


@click.group(cls=CommandGroup, invoke_without_command=True)
@click.option(
    "--limit",
    type=click.IntRange(1, 1_000_000),
    default=20,
    show_default=True,
    help="Maximum number of runs to list.",
)
@as_json
@click.pass_context
def runs(ctx: click.Context, limit: int, as_json: bool) -> None:
    """List runs, newest first; `runs show RUN` shows one in full.

    RUN is the id, which every command takes, as it takes the beginning of one, or `last`. COST is
    in US dollars, agent and teacher together. OUTCOME `not solved` means that the tests failed
    after the last attempt; `runs show` says why.
    """
    if ctx.invoked_subcommand:
        return
    from orchestrator.budget.ledger import Ledger
    from orchestrator.cli import run_lines
    from orchestrator.storage.listing import list_summaries
    from orchestrator.storage.opening import open_database
    from orchestrator.storage.state_directory import resolve_state_directory

    with open_database(resolve_state_directory()) as database:
        Ledger(database).close_abandoned()
        found = list_summaries(database, limit)
        lines = (
            run_lines.iter_json_lines(database, found)
            if as_json
            else run_lines.iter_run_table(found, find_width())
        )
        print_lines(lines)


@runs.command()
@click.argument("run", default="last")
@project_of_last_run
@as_json
def show(run: str, project_dir: Path, as_json: bool) -> None:
    """Show RUN in full: prompts, diffs, failures, lessons [default: the project's last run]."""
    from orchestrator.budget.ledger import Ledger
    from orchestrator.cli import records, run_lines, timeline
    from orchestrator.storage.listing import find_list_task, find_summary
    from orchestrator.storage.runs import Store

    with Store() as store:
        Ledger(store.database).close_abandoned()
        found = find_summary(store.database, store.find_run(run, project_dir).id)
        if as_json:
            lines = run_lines.iter_json_lines(store.database, [found])
        else:
            scripted = timeline.is_scripted(store.events.list_events(found.id))
            record = store.load_run(found.id)
            task = find_list_task(store.database, found.id)
            lines = records.iter_record_lines(record, found.message, task, scripted=scripted)
        print_lines(lines)


@runs.command()
@click.option(
    "--older-than",
    type=click.FloatRange(0, 36_500),
    callback=_require_number,
    metavar="DAYS",
    help="Prune runs that ended more than DAYS days ago [default: state.keep_days].",
)
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@project_directory
@config_file
def prune(
    older_than: float | None, dry_run: bool, project_dir: Path, config_file: Path | None
) -> None:
    """Remove the files and details of old runs.

    The run itself, its outcome and its cost stay on record. Runs that are in progress or still have
    a git worktree are not touched. Runs of all projects are included.
    """
    from orchestrator.counts import format_count
    from orchestrator.services.pruning import prune_runs

    pruned = prune_runs(project_dir, config_file, older_than, dry_run=dry_run)
    what = "would be removed" if dry_run else "removed"
    count = format_count(len(pruned.runs), "run")
    click.echo(f"{count}, {pruned.size / 1e6:.1f} MB {what}")
    for run in pruned.runs:
        click.echo(f"  {run}")
    for run in pruned.retained:
        click.echo(f"  {run} was kept, with its worktree; continue: orchestrator resume {run}")


@runs.command()
@click.argument("run", default="last")
@project_of_last_run
@as_json
def events(run: str, project_dir: Path, as_json: bool) -> None:
    """Show the timeline of RUN [default: the project's last run]."""
    from orchestrator.cli import timeline
    from orchestrator.storage.runs import Store

    with Store() as store:
        record = store.find_run(run, project_dir)
        rows = store.events.list_events(record.id)
    print_lines(timeline.iter_json_lines(record.id, rows) if as_json else timeline.iter_lines(rows))
