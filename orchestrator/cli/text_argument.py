"""A command whose last argument is text that a person or a script wrote, such as a task."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import click

from orchestrator.errors import UsageError

_SHOWN: Final = 60
"""Characters of a text that a message quotes."""


@dataclass(frozen=True)
class _Word:
    """One word of a command line."""

    at: int
    text: str
    is_option: bool
    """Whether it is an option, or the value of one."""


class TextCommand(click.Command):
    """A command whose text may begin with a dash (`- [ ] fix it`), and has to be one argument."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            UsageError: the text is spread over several arguments, or there is no such option.
        """
        ctx.allow_extra_args = True
        given = list(args)  # click takes words out of it
        try:
            super().parse_args(ctx, self._move_text_to_end(ctx, args))
        except click.NoSuchOption as error:
            raise UsageError(
                error.format_message().rstrip("."),
                f"see `{ctx.command_path} -h`; text that begins with a dash goes after `--`",
            ) from error
        if ctx.args:
            raise self._build_quote_error(ctx, given)
        return ctx.args

    def _build_quote_error(self, ctx: click.Context, args: list[str]) -> UsageError:
        """Return the error for a text in several words, with a command line to paste."""
        words = list(self._iter_words(ctx, args))
        arguments = [each for each in self.params if isinstance(each, click.Argument)]
        name, before = arguments[-1].name, len(arguments) - 1
        plain = [word.text for word in words if not word.is_option]
        options = [word.text for word in words if word.is_option]
        text = " ".join(plain[before:])
        line = [*ctx.command_path.split(), *options, *plain[:before]]
        command = shlex.join([*line, *(["--"] if text.startswith("-") else []), text])
        shown = f"{text[:_SHOWN]}{'...' * (len(text) > _SHOWN)}"
        return UsageError(
            f"the {name} is spread over several arguments: {shown}", f"quote the {name}: {command}"
        )

    def _move_text_to_end(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Return the arguments with text that begins with a dash at the end, after `--`."""
        for word in self._iter_words(ctx, args):
            if not word.is_option and word.text.startswith("-") and "--" not in args[: word.at]:
                return [*args[: word.at], *args[word.at + 1 :], "--", word.text]
        return args

    def _iter_words(self, ctx: click.Context, args: list[str]) -> Iterator[_Word]:
        """Yield the words of a command line but `--`; one with a space in its name is text."""
        options = {
            name: parameter
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option)
            for name in parameter.opts
        }
        is_value = False
        for at, word in enumerate(args):
            if word == "--" and not is_value:
                yield from (
                    _Word(at + 1 + nth, text, False) for nth, text in enumerate(args[at + 1 :])
                )
                return
            is_dashed = word.startswith("-") and word != "-"
            is_option = is_dashed and len(word.partition("=")[0].split(None, 1)) == 1
            yield _Word(at, word, is_value or is_option)
            option = None if is_value else options.get(word)
            is_value = option is not None and not option.is_flag
