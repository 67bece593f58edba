"""`orchestrator teach`."""

from pathlib import Path

import click

from orchestrator.cli.options import as_json_events, config_file, project_directory
from orchestrator.cli.run import create_listener
from orchestrator.errors import UsageError


@click.command()
@click.option("--pending", is_flag=True, help="Teach the failures that wait.")
@click.option("--list", "list_only", is_flag=True, help="Only list them.")
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
    """Teach the failures that wait because no teacher could be asked.

    A failure is kept when the teacher is down or the rule cannot be written, and forgotten after.
    """
    from orchestrator.services.waiting import list_pending_failures, teach_pending

    if not (pending or list_only):
        raise UsageError("nothing to teach is named", "orchestrator teach --pending, or --list")
    kept = list_pending_failures(project_dir)
    if list_only:
        for each in kept:
            began = each.since.astimezone()
            click.echo(f"{began:%Y-%m-%d %H:%M}  {each.failure.type}: {each.failure.summary}")
    elif kept:
        changes = teach_pending(project_dir, config_file, create_listener(as_json))
        if not as_json:
            click.echo(f"{len(kept)} taught; {len(changes)} changes to the rulebook")
    if not kept and not as_json:
        click.echo("no failure waits")
