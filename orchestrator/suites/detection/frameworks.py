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
_CONDA: Final = frozenset({"-n", "--name", "-p", "--prefix", "--cwd"})
_MANAGERS: Final = {
    "uv": frozenset(
        {
            *(
                "--allow-insecure-host",
                "--cache-dir",
                "--color",
                "--config-file",
                "--config-setting",
            ),
            *("--default-index", "--directory", "--env-file", "--exclude-newer", "--extra"),
            *("--extra-index-url", "--find-links", "--fork-strategy", "--group", "--index"),
            *("--index-strategy", "--index-url", "--keyring-provider", "--link-mode"),
            *("--no-binary-package", "--no-build-isolation-package", "--no-build-package"),
            *("--no-extra", "--no-group", "--only-group", "--package", "--prerelease", "--project"),
            *("--python", "--python-platform", "--python-preference", "--refresh-package"),
            *("--reinstall-package", "--resolution", "--upgrade-package", "--with"),
            *("--with-editable", "--with-requirements", "-C", "-P", "-f", "-i", "-p", "-w"),
        }
    ),
    "poetry": frozenset({"-C", "--directory", "-P", "--project"}),
    "pdm": frozenset({"-p", "--project", "-c", "--config", "--venv"}),
    "pipenv": frozenset({"--python", "--pypi-mirror"}),
    "hatch": frozenset({"-e", "--env", "-p", "--project", "--data-dir", "--cache-dir", "--config"}),
    "rye": frozenset({"--pyproject"}),
    "pixi": frozenset({"-e", "--environment", "--manifest-path", "-m", "--color", "-w"}),
    "conda": _CONDA,
    "mamba": _CONDA,
    "micromamba": _CONDA | {"-r", "--root-prefix", "-e", "--env", "-a", "--attach"},
}
"""Programs whose `run` starts another program on this machine, and their options with a value.
That of docker starts it elsewhere, where the plugin that reports each case is not installed."""
_PREFIXES: Final = {
    "env": frozenset({"-u", "--unset", "-C", "--chdir"}),
    "time": frozenset({"-f", "--format", "-o", "--output"}),
    "exec": frozenset({"-a"}),
    "command": frozenset[str](),
}
"""Programs that start another one, and their options with a value."""
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
            words = _skip_options(arguments, _PREFIXES[name])
        elif name in _MANAGERS:
            verb, *rest = _skip_options(arguments, _MANAGERS[name]) or [""]
            if verb != "run":
                return False
            words = _skip_options(rest, _MANAGERS[name])
        elif _STARTS_MODULES.fullmatch(name):
            return ("-m", "pytest") in pairwise(arguments)
        else:
            return name in _RUNNERS
    return False


def _skip_options(words: list[str], with_value: frozenset[str]) -> list[str]:
    """Return the words from the first on that is no option.

    Args:
        words: the arguments of a program.
        with_value: the options of this program whose value is the next word.
    """
    at = 0
    while at < len(words) and words[at].startswith("-"):
        at += 2 if words[at] in with_value else 1
    return words[at:]
