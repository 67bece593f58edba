"""The folder that each command of a script runs in, as far as the script shows it."""

# pathlib alone takes longer to import than the hook takes to run.
# ruff: noqa: PTH111, PTH118

import os

from orchestrator.session_hooks.writeahead.script import Chain, Command, Scope

MOVES = ("cd", "pushd", "popd")
EXPANSION_MARKS = frozenset("$`{(")
"""Marks of text that only the shell can expand: variables, substitutions, braces, patterns."""

_LONGEST_PATH = 1000
"""Characters up to which a series of `cd` is followed; beyond, the folder is uncertain."""
_FolderState = tuple[str, bool, "Chain | None"]
"""A folder, whether it is certain, and the chain of the last `cd`."""


class FolderTracker:
    """Follows each `cd` of a script."""

    def __init__(self, directory: str) -> None:
        self._start = (directory, True, None)
        self._states: dict[tuple[Scope | None, tuple[str, ...]], _FolderState] = {}

    def find_folder(self, command: Command) -> tuple[str, bool]:
        """Return a command's folder, and whether it is certain.

        The folder is empty for a command on another machine.
        """
        directory, sure, moved_in = self._find_state(command)
        # After `;` or `||` the command also runs if the `cd` failed.
        return directory, sure and moved_in in (None, command.chain)

    def record_move(self, command: Command) -> None:
        """Follow a `cd`."""
        directory, sure = self.find_folder(command)
        to = command.words[1] if len(command.words) == 2 and command.program == "cd" else "-"
        if to == "-" or not EXPANSION_MARKS.isdisjoint(to) or command.chain.alternative:
            sure = False
        if to != "-":
            directory = join_path(directory, to, bool(command.through))
        if len(directory) <= _LONGEST_PATH:
            state = directory, sure, command.chain
        else:
            state = self._find_state(command)[0], False, command.chain
        self._states[command.scope, command.through] = state

    def _find_state(self, command: Command) -> "_FolderState":
        keys: list[tuple[Scope, tuple[str, ...]]] = []
        scope: Scope | None = command.scope
        while scope is not None and (scope, command.through) not in self._states:
            keys.append((scope, command.through))
            scope = scope.parent
        initial = ("", True, None) if command.through else self._start
        state = self._states.get((scope, command.through), initial)
        # Remembered for each scope on the way, so that none is walked twice.
        for key in keys:
            self._states[key] = state
        return state


def join_path(directory: str, path: str, elsewhere: bool = False) -> str:
    """Return the path that a command names; a home on another machine remains `~`."""
    if elsewhere and path.startswith("~"):
        return path
    return os.path.normpath(
        os.path.join(directory, path if elsewhere else os.path.expanduser(path))
    )
