"""`orchestrator demo`: the loop in a temporary project, with a scripted model."""

import click


@click.command()
@click.option("--keep", is_flag=True, help="Keep the demo's folder for inspection.")
def demo(keep: bool) -> int:
    """Watch the loop learn: real programs, a scripted model, no API key needed.

    Claude Code, its tools, pytest, git and the Anthropic SDK are real programs. Only the model's
    replies are scripted, by a local server. The scripted model fixes the bug only if the learned
    rule is in its request, so the demo fails if learning does not work.
    """
    from orchestrator.cli.console import Console
    from orchestrator.services.demo import run_demo

    return run_demo(keep=keep, listener=Console(recorded=False), say=click.echo)
