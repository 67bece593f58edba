"""A command whose last argument is text that a person or a script wrote, such as a task."""

from typing import Final

import click

from orchestrator.errors import UsageError

_SHOWN: Final = 60
"""Characters of a text that a message quotes."""


class TextCommand(click.Command):
    """A command whose text may begin with a dash (`- [ ] fix it`), and has to be one argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            UsageError: the text is spread over several arguments, or there is no such option.
        """
        ctx.allow_extra_args = True
        try:
            super().parse_args(ctx, self._move_text_to_end(ctx, args))
        except click.NoSuchOption as error:
            raise UsageError(
                error.format_message().rstrip("."),
                f"see `{ctx.command_path} -h`; text that begins with a dash goes after `--`",
            ) from error
        if ctx.args:
            arguments = [each for each in self.params if isinstance(each, click.Argument)]
            words = " ".join((str(ctx.params[str(arguments[-1].name)]), *ctx.args))
            raise UsageError(
                f"unexpected extra arguments: {' '.join(ctx.args)[:_SHOWN]}",
                f'put the whole text in quotes: "{words[:_SHOWN]}"',
            )
        return ctx.args

    def _move_text_to_end(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the arguments with text that begins with a dash at the end, after `--`."""
        options = {
            name: parameter
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        is_value = False
        for at, word in enumerate(args):
            if word == "--":
                break
            name = word.partition("=")[0]
            if not is_value and word.startswith("-") and len(name.split(None, 1)) > 1:
                return [*args[:at], *args[at + 1 :], "--", word]
            option = None if is_value else options.get(word)
            is_value = option is not None and not option.is_flag
        return args
