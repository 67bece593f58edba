"""The parts of a shell script: its commands, and the way they are joined."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH119

import os


class Scope:
    """A part of a script with a shell of its own: a `cd` in it has no effect outside."""

    __slots__ = ("parent",)

    def __init__(self, parent: "Scope | None" = None) -> None:
        self.parent = parent


class Chain:
    """Commands joined by `&&`: each runs only if those before it ended with 0."""

    __slots__ = ("alternative",)

    def __init__(self, alternative: bool = False) -> None:
        self.alternative = alternative
        """Whether it comes after `||`, and so may be skipped."""


class Command:
    """One program with its arguments, and the text that is known to reach its standard input."""

    __slots__ = (
        "chain",
        "determines_failure",
        "determines_success",
        "scope",
        "stdin",
        "through",
        "words",
    )

    def __init__(self, words: list[str], scope: Scope, chain: Chain, stdin: str = "") -> None:
        self.words, self.scope, self.chain, self.stdin = words, scope, chain, stdin
        self.through: tuple[str, ...] = ()
        """The words that start it on another machine or with more arguments: `ssh host`."""
        self.determines_success = False
        """Whether the script can only exit with 0 if this command did."""
        self.determines_failure = False
        """Whether a failure of the script is a failure of this command or of one before it."""

    @property
    def program(self) -> str:
        """The program's name without its folder."""
        return os.path.basename(self.words[0])


class Pipeline:
    """Commands joined by `|`, and the scripts in their substitutions."""

    __slots__ = ("chain", "commands", "nested", "scope")

    def __init__(
        self, commands: list[Command], nested: list[str], scope: Scope, chain: Chain
    ) -> None:
        self.commands, self.nested, self.scope, self.chain = commands, nested, scope, chain
