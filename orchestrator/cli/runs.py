"""`orchestrator runs`."""

import click

from orchestrator.cli.run import as_json


@click.group(invoke_without_command=True)
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, help="How many."
)
@as_json
@click.pass_context
def runs(ctx: click.Context, limit: int, as_json: bool) -> None:
    """List runs, the newest first; `runs show RUN` shows one whole."""
    if ctx.invoked_subcommand:
        return
    from orchestrator.cli import run_lines
    from orchestrator.storage.database import Database
    from orchestrator.storage.listing import list_summaries
    from orchestrator.storage.place import state_directory

    with Database(state_directory()) as database:
        found = list_summaries(database, limit)
        lines = run_lines.as_json(database, found) if as_json else run_lines.as_table(found)
        for line in lines:
            click.echo(line)


@runs.command()
@click.argument("run", default="last")
@as_json
def show(run: str, as_json: bool) -> None:
    """Show RUN whole: prompts, diffs, failures, lessons [default: the last one]."""
    from orchestrator.cli import records, run_lines
    from orchestrator.storage.listing import find_summary
    from orchestrator.storage.runs import Store

    with Store() as store:
        if as_json:
            found = [find_summary(store.database, store.find(run).id)]
            lines = run_lines.as_json(store.database, found)
        else:
            lines = records.whole(store.get(run))
        for line in lines:
            click.echo(line)
