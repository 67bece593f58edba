"""Groups of commands: help in which nothing is cut, and an answer to a mistyped command."""

import difflib
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, Final

import click

from orchestrator.cli.task_source import build_word_error, is_single_word
from orchestrator.errors import UsageError

_UNLIMITED: Final = 10_000
"""Characters of a description in the list of commands: the whole sentence, in several lines."""
_OTHER: Final = "Commands"
_LIKELY: Final = 0.6
_SURE: Final = 0.8
"""Similarity, from 0 to 1, from which a word counts as a mistyped name."""
_USUAL_NAMES: Final = {
    **dict.fromkeys(("status", "list", "ls", "log", "logs", "history"), "runs"),
    **dict.fromkeys(("setup", "start", "new"), "init"),
    **dict.fromkeys(("login", "auth", "check", "verify"), "doctor"),
    **dict.fromkeys(("settings", "configure", "set"), "config"),
    **dict.fromkeys(("continue", "retry"), "resume"),
    **dict.fromkeys(("revert", "rollback"), "undo"),
}
"""What other programs call a command, and its name here."""


class CommandGroup(click.Group):
    """A group that lists its commands with whole sentences, and suggests the closest command.

    Args:
        sections: the names of commands by the title that they are listed under.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 -- those of click
        sections: Mapping[str, Sequence[str]] | None = None,
        **options: Any,  # noqa: ANN401 -- those of click
    ) -> None:
        super().__init__(*arguments, **options)
        self.sections = sections or {}

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands by section, each with the first sentence of its help."""
        for title, names in self._iter_sections(ctx):
            rows = [
                (name, command.get_short_help_str(_UNLIMITED))
                for name in names
                if (command := self.get_command(ctx, name)) and not command.hidden
            ]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the first argument names.

        Raises:
            UsageError: there is no such command.
        """
        if not ctx.resilient_parsing and self.get_command(ctx, args[0]) is None:
            raise build_command_error(ctx.command_path, args[0], self.commands)
        return super().resolve_command(ctx, args)

    def _iter_sections(self, ctx: click.Context) -> Iterator[tuple[str, Iterable[str]]]:
        names = self.list_commands(ctx)
        placed = {name for section in self.sections.values() for name in section}
        for title, section in self.sections.items():
            yield title, [name for name in section if name in names]
        yield _OTHER, [name for name in names if name not in placed]


class RunByDefault(CommandGroup):
    """A group that passes a first argument that is a whole text to `run`, as the task."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Insert `run` before a task without a command.

        Raises:
            UsageError: a single word is no command, and no task either.
        """
        if args and not ctx.resilient_parsing and self._is_for_run(ctx, args):
            args = ["run", *args]
        return super().parse_args(ctx, args)

    def _is_for_run(self, ctx: click.Context, args: Sequence[str]) -> bool:
        """Return whether the arguments are a task, or begin with an option of `run`."""
        first = args[0]
        if first in self.commands:
            return False
        if first.startswith("-") and is_single_word(first.partition("=")[0]):
            if first == "--":
                return True
            is_for_run = self._is_option_of_run(ctx, first)
            if is_for_run:
                self._check_command_after_options(ctx, args)
            return is_for_run
        # A word that is no command, and no task either: each would otherwise start a paid run.
        if is_single_word(first):
            self._check_mistyped(ctx, args)
        return True

    def _is_option_of_run(self, ctx: click.Context, word: str) -> bool:
        name = word.partition("=")[0]
        own = {each for parameter in self.get_params(ctx) for each in parameter.opts}
        options = {each for parameter in self.commands["run"].params for each in parameter.opts}
        is_joined = not name.startswith("--") and name[:2] in options  # `-fFILE`
        return name not in own and (name in options or is_joined)

    def _check_command_after_options(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Reject a command whose options are before it, which would be read as a task."""
        at = _count_option_words(self.commands["run"], args)
        options, words = args[:at], args[at:]
        if not words or words[0] not in self.commands:
            return
        name, *rest = words
        command = self.commands[name]
        if rest and isinstance(command, click.Group) and rest[0] in command.commands:
            command = command.commands[rest[0]]
        elif rest and is_single_word(rest[0]) and not rest[0].startswith("-"):
            return  # probably a sentence: `run` says how to quote that
        # An option of `run` that this command does not have would be the next error.
        is_known = _count_option_words(command, options, is_strict=True) == len(options)
        line = shlex.join([*words, *(options if is_known else ())])
        raise UsageError(
            f"`{name}` is a command, so its options come after it",
            f"try: {ctx.command_path} {line}",
        )

    def _check_mistyped(self, ctx: click.Context, args: Sequence[str]) -> None:
        """Reject a first word that is not the beginning of an unquoted task.

        With more words behind it, it may be the verb of a sentence: `run` says how to quote that.
        """
        word, *rest = args
        words = [each for each in rest if not each.startswith("-")]
        if words:
            is_sentence = all(map(is_single_word, words))
            cutoff = _SURE if is_sentence else _LIKELY
            if closest := difflib.get_close_matches(word, self.commands, n=1, cutoff=cutoff):
                plain = takewhile(lambda each: not each.startswith("-"), rest)
                sentence = shlex.quote(" ".join([word, *plain]))
                raise UsageError(
                    f"there is no command `{word}`; did you mean `{closest[0]}`?",
                    f"try: {ctx.command_path} {closest[0]}; "
                    f"or quote the task: {ctx.command_path} run {sentence}",
                )
            return
        if _find_closest(word, self.commands, _LIKELY):
            raise build_command_error(ctx.command_path, word, self.commands)
        raise build_word_error(word, f"there is no command `{word}`, and")


def _count_option_words(
    command: click.Command, words: Sequence[str], *, is_strict: bool = False
) -> int:
    """Return how many of the first words are options, with their values.

    Args:
        command: the command that has the options.
        words: the words of a command line.
        is_strict: whether an option that the command does not have ends the count.
    """
    options = {
        name: each for each in command.params if isinstance(each, click.Option)
        for name in each.opts
    }  # fmt: skip
    at = 0
    while at < len(words) and words[at].startswith("-") and words[at] not in ("-", "--"):
        option = options.get(words[at].partition("=")[0])
        if option is None and is_strict:
            break
        takes_next = option is not None and not (option.is_flag or option.count)
        at += 2 if takes_next and "=" not in words[at] else 1
    return min(at, len(words))


def build_command_error(path: str, word: str, commands: Iterable[str]) -> UsageError:
    """Return the error for a word that is no command of this group."""
    if closest := _find_closest(word, commands, _LIKELY):
        return UsageError(
            f"there is no command `{word}`; did you mean `{closest}`?", f"try: {path} {closest}"
        )
    return UsageError(f"there is no command `{word}`", f"see the commands: {path} --help")


def _find_closest(word: str, names: Iterable[str], cutoff: float) -> str:
    """Return the name that a word most likely stands for; empty if there is none."""
    known = {name: name for name in names}
    known |= {usual: name for usual, name in _USUAL_NAMES.items() if name in known}
    found = difflib.get_close_matches(word.lower(), known, n=1, cutoff=cutoff)
    return known[found[0]] if found else ""
