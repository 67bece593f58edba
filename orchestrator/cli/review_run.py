"""`orchestrator review` without a command: reviews past sessions."""

import click


def run_review_command(context: click.Context) -> None:
    """Review past sessions, and put what was found into the queue."""
    from orchestrator.errors import UsageError

    raise UsageError("there is no review of sessions yet", f"see: {context.command_path} --help")
