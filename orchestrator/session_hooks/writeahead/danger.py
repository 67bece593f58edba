"""A destructive command: what it is, what it affects, and how it could be undone."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH119

import os
from enum import StrEnum

TYPE_CHECKING = False  # mypy knows the name; `typing` itself is slow to import
if TYPE_CHECKING:
    from orchestrator.session_hooks.writeahead.script import Command


class DangerKind(StrEnum):
    """The destructive commands that are known.

    `OWN` is one of the user's patterns, `UNREAD` a command that is too long to be analysed.
    """

    FORCED_PUSH = "git push --force"
    HARD_RESET = "git reset --hard"
    CLEAN = "git clean"
    REMOVE = "rm -r"
    TERRAFORM = "terraform"
    KUBECTL = "kubectl delete"
    SQL = "SQL"
    OWN = "own"
    UNREAD = "not analysed"


BACKUP = "restore from a backup or a dump"
"""How to undo a command that nothing else undoes."""

_SCRIPT_RUNNERS = frozenset(("ssh", "su", "trap"))
"""Programs that take a whole script as one argument."""


class Danger:
    """One destructive command.

    No dataclass: importing `dataclasses` would take longer than the hook.
    """

    __slots__ = (
        "blast", "command", "directory", "kind", "rollback", "started_in", "sure", "targets",
        "words",
    )  # fmt: skip

    def __init__(
        self, kind: DangerKind, words: list[str], directory: str, targets: list[str], blast: str,
        rollback: str,
    ) -> None:  # fmt: skip
        self.kind, self.words, self.directory = kind, words, directory
        self.targets, self.blast, self.rollback = targets, blast, rollback
        self.command: Command | None = None
        """The command in the shell script; None for a call of a database tool."""
        self.sure = True
        """Whether the directory is known for certain."""
        self.started_in = directory
        """The directory of the shell; options such as `git -C` are relative to it."""

    @property
    def through(self) -> tuple[str, ...]:
        """The words that start it on another machine, or with more arguments; mostly empty."""
        return self.command.through if self.command else ()

    @property
    def operation(self) -> str:
        """The command as one could type it, with the words that it is started through."""
        import shlex

        plain = self.kind in (DangerKind.SQL, DangerKind.UNREAD)
        typed = " ".join(self.words) if plain else shlex.join(self.words)
        if not self.through:
            return typed
        if self.kind is DangerKind.SQL:
            return f"{typed} (through {shlex.join(self.through)})"
        folder = self.started_in
        script = f"cd {shlex.quote(folder)} && {typed}" if folder else typed
        if any(os.path.basename(word) in _SCRIPT_RUNNERS for word in self.through):
            return shlex.join([*self.through, script])
        more = ["sh", "-c", script] if folder else self.words
        return shlex.join([*self.through, *more])
