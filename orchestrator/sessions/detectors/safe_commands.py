"""Find the permission rule by which a person could allow a shell command for good.

What may be allowed at all is decided in one place, `proposals.permission_safety`; here the words of
a command are separated, and the shortest rule is chosen that allows it with any arguments. What
Claude Code lets pass without asking needs no rule.
"""

import shlex
from typing import Final

from orchestrator.proposals.permission_safety import (
    explain_refusal,
    has_dangerous_option,
    is_known_program,
)

_NEEDS_NO_RULE: Final = frozenset({"git"})
"""Its commands that only read pass without a question, and no others are ever proposed."""
_MOST_NAMES: Final = 3
"""Words that may name what is done: `npm run lint`."""

_EXPANDED: Final = frozenset("$`\n\r\x00")
"""Mean something to the shell even inside of double quotes."""
_OPERATORS: Final = ";&|<>()"
_QUOTES: Final = frozenset("'\"\\")
_HARMLESS_END: Final = ("2>&1", ">/dev/null", "2>/dev/null", "> /dev/null", "2> /dev/null")
"""Redirections that write no file."""
_MOST_READ: Final = 2_000


def find_permission_rule(command: str) -> str:
    """Return the permission rule that would allow a command, `Bash(go test *)`, empty if unsafe.

    The rule names the program and its command only, so no id or temporary path is in it.
    """
    # Most commands are of other programs, and splitting costs a hundred times as much.
    program = next(iter(command[:100].split(maxsplit=1)), "")
    if not is_known_program(program) or program in _NEEDS_NO_RULE:
        return ""
    words = _split_safely(command)
    if has_dangerous_option(words[1:]):
        return ""
    for length in range(1, min(len(words), _MOST_NAMES) + 1):
        rule = f"Bash({' '.join(words[:length])} *)"
        if not explain_refusal(rule):
            return rule
    exact = f"Bash({' '.join(words)})"
    return exact if 0 < len(words) <= _MOST_NAMES and not explain_refusal(exact) else ""


def _split_safely(command: str) -> list[str]:
    """Return the words of a single plain command; nothing if it is anything else."""
    command = command.strip()
    while command.endswith(_HARMLESS_END):
        command = next(
            command.removesuffix(end) for end in _HARMLESS_END if command.endswith(end)
        ).rstrip()
    if not command or len(command) > _MOST_READ or _EXPANDED.intersection(command):
        return []
    if _QUOTES.isdisjoint(command):
        return [] if any(each in command for each in _OPERATORS) else command.split()
    lexer = shlex.shlex(command, posix=True, punctuation_chars=_OPERATORS)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:
        return []
    if any(word and not word.strip(_OPERATORS) for word in words):
        return []
    return words
