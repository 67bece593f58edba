"""`orchestrator teach`: teach the failures that were queued."""

from pathlib import Path

import click

from orchestrator.cli.options import as_json_events, config_file, project_directory
from orchestrator.cli.run import create_listener
from orchestrator.errors import UsageError


@click.command()
@click.option("--pending", is_flag=True, help="Send the queued failures to the teacher.")
@click.option("--list", "list_only", is_flag=True, help="Only list the queued failures.")
@project_directory
@config_file
@as_json_events
def teach(
    pending: bool,
    list_only: bool,
    project_dir: Path,
    config_file: Path | None,
    as_json: bool,
) -> None:
    """Send failures to the teacher that were queued because it was unavailable.

    A failure is also queued if its rule could not be written. It leaves the queue when it is done.
    """
    from orchestrator.events import Notice
    from orchestrator.services.pending_failures import list_pending_failures, teach_pending

    if not (pending or list_only):
        raise UsageError("--pending or --list is missing", "run `orchestrator teach --pending`")
    listener = create_listener(as_json)
    queued = list_pending_failures(project_dir, lambda text: listener(Notice(text)))
    if list_only:
        for each in queued:
            since = each.since.astimezone()
            click.echo(f"{since:%Y-%m-%d %H:%M}  {each.failure.type}: {each.failure.summary}")
    elif queued:
        changes = teach_pending(project_dir, config_file, listener)
        if not as_json:
            click.echo(f"failures taught: {len(queued)}; rules changed: {len(changes)}")
    if not queued and not as_json:
        click.echo("no failures are queued")
