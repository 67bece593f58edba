"""`orchestrator completion`: the script by which a shell completes commands and options."""

import click

_VARIABLE = "_ORCHESTRATOR_COMPLETE"
"""Set by the script when it asks this program for completions."""


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script that completes commands and options in a shell.

    \b
    Add the line of your shell to its start-up file:
      ~/.bashrc   eval "$(orchestrator completion bash)"
      ~/.zshrc    eval "$(orchestrator completion zsh)"
      ~/.config/fish/config.fish
                  orchestrator completion fish | source
    """  # noqa: D301 -- \b is click's mark for a paragraph that keeps its lines
    from click.shell_completion import get_completion_class

    found = get_completion_class(shell)
    if found is None:
        raise AssertionError(f"click has no completion for {shell}")
    root = ctx.find_root()
    click.echo(found(root.command, {}, "orchestrator", _VARIABLE).source())
