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
    from orchestrator.cli import records
    from orchestrator.store import Store

    with Store() as store:
        found = store.list(limit)
    for line in records.listed_json(found) if as_json else records.listed(found):
        click.echo(line)


@runs.command()
@click.argument("run", default="last")
@as_json
def show(run: str, as_json: bool) -> None:
    """Show RUN whole: prompts, diffs, failures, lessons [default: the last one]."""
    from orchestrator.cli import records
    from orchestrator.store import Store

    with Store() as store:
        record = store.get(run)
    for line in records.listed_json([record]) if as_json else records.whole(record):
        click.echo(line)


@runs.command()
@click.argument("run", default="last")
@as_json
def events(run: str, as_json: bool) -> None:
    """Show what happened in RUN, as a time line [default: the last one]."""
    from orchestrator.cli import timeline
    from orchestrator.store import Store

    with Store() as store:
        record = store.get(run)
        rows = store.list_events(record.id)
    for line in timeline.listed_json(record.id, rows) if as_json else timeline.listed(rows):
        click.echo(line)
