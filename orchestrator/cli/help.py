"""`orchestrator help` and `orchestrator version`: what people type who know no option yet."""

import click

from orchestrator.cli.command_group import build_command_error
from orchestrator.errors import UsageError


@click.command("help")
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
@click.pass_context
def show_help(ctx: click.Context, names: tuple[str, ...]) -> None:
    """Show the help of a command, as `COMMAND --help` does."""
    above = ctx.find_root()
    for name in names:
        command = above.command
        if not isinstance(command, click.Group):
            path = above.command_path
            raise UsageError(f"`{path}` has no commands: `{name}`", f"see its help: {path} --help")
        found = command.get_command(above, name)
        if found is None:
            raise build_command_error(above.command_path, name, command.commands)
        above = click.Context(found, info_name=name, parent=above)
    click.echo(above.get_help())


@click.command("version")
@click.pass_context
def show_version(ctx: click.Context) -> None:
    """Show the version, as `--version` does."""
    root = ctx.find_root()
    for parameter in root.command.get_params(root):
        if "--version" in parameter.opts and parameter.callback:
            parameter.callback(root, parameter, True)
