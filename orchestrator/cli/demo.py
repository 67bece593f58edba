"""`orchestrator demo`."""

import click


@click.command()
@click.option("--keep", is_flag=True, help="Leave the folder of the demo, to look at.")
def demo(keep: bool) -> int:
    """See the loop learn: real programs, scripted model, no key needed.

    Claude Code, its tools, pytest, git and the Anthropic SDK are the real ones; only the words of
    the model come from a script, through a small server on this machine. The script repairs the
    bug only if the learned rule reached it; so the demo fails if learning does not work.
    """
    from orchestrator.cli.console import Console
    from orchestrator.services.demo import run_demo

    return run_demo(keep=keep, listener=Console(recorded=False), say=click.echo)
