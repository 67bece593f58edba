"""Find out which framework a command line starts, by its words."""

import re
import shlex
from collections.abc import Iterator
from itertools import dropwhile, pairwise
from pathlib import PurePosixPath
from typing import Final

from orchestrator.suites.detection.suite import COMMAND, PYTEST

_RUNNERS: Final = ("pytest", "py.test")
_STARTS_MODULES: Final = re.compile(r"(?:python|pypy)[\d.]*|coverage")
"""Programs for which `-m pytest` runs pytest in their own process."""
_MANAGERS: Final = (
    *("uv", "poetry", "pdm", "pipenv", "hatch", "rye", "pixi", "conda", "mamba", "micromamba"),
)
"""Programs whose `run` starts another program on this machine. That of docker starts it elsewhere,
where the plugin that reports each case is not installed."""
_OPTIONS_WITH_VALUE: Final = frozenset(
    {
        *("--with", "--with-editable", "--with-requirements", "--extra", "--group", "--only-group"),
        *("--python", "-p", "--package", "--directory", "--project", "--env-file", "-e", "--env"),
        *("--environment", "-n", "--name", "--prefix", "-u", "--unset"),
    }
)
_PREFIXES: Final = ("env", "time", "exec", "command")
_MOST_WRAPPERS: Final = 5
"""Most programs that start the next one, such as `env` and `uv run`, in one command."""
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_]\w*=.*", re.DOTALL)
_SEPARATOR: Final = re.compile(r"[;&|()]+")


def infer_framework(command: str) -> str:
    """Return the `tests.framework` for a command: pytest, if it is what the command itself starts.

    A command that cannot be parsed counts as another one; `parse_command` reports the quotes.
    """
    try:
        parts = list(_iter_parts(command))
    except ValueError:
        return COMMAND
    return PYTEST if any(_starts_pytest(words) for words in parts) else COMMAND


def _iter_parts(command: str) -> Iterator[list[str]]:
    """Yield the words of each command in a line of a shell.

    Raises:
        ValueError: its quotes are not closed.
    """
    lexer = shlex.shlex(command.replace("\n", ";"), posix=True, punctuation_chars=";&|()")
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    for word in (*lexer, ";"):
        if _SEPARATOR.fullmatch(word):
            yield words
            words = []
        else:
            words.append(word)


def _starts_pytest(words: list[str]) -> bool:
    for _ in range(_MOST_WRAPPERS):
        words = list(dropwhile(_ASSIGNMENT.fullmatch, words))
        if not words:
            return False
        program, *arguments = words
        name = PurePosixPath(program.rpartition(":")[2]).name  # hatch: `ENVIRONMENT:PROGRAM`
        if name in _PREFIXES:
            words = _skip_options(arguments)
        elif name in _MANAGERS and arguments[:1] == ["run"]:
            words = _skip_options(arguments[1:])
        elif _STARTS_MODULES.fullmatch(name):
            return ("-m", "pytest") in pairwise(arguments)
        else:
            return name in _RUNNERS
    return False


def _skip_options(words: list[str]) -> list[str]:
    """Return the words from the program on that another program starts."""
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in _OPTIONS_WITH_VALUE else 1
    return words[at:]
