"""Recognize a test command that only runs a project's tests with pytest.

With the default command, the tests of a repository run anyway, and they can do everything. But a
person who starts a run expects that tests are run: not a download, and no report that is written to
a place outside of the project. So other commands need the user's trust.
"""

import re
import shlex
from typing import Final

_RUNNERS: Final = (
    ("pytest",),
    ("py.test",),
    ("python", "-m", "pytest"),
    ("python3", "-m", "pytest"),
)

_IMPORT_PATH: Final = re.compile(r"PYTHONPATH=[A-Za-z0-9_.][A-Za-z0-9_./-]*")
"""A relative folder to import from: code of the project, as its tests are."""

_OPTION: Final = re.compile(
    r"-[vqxsl]+|-r[A-Za-z]+|-n(?:auto|logical|\d+)?|-[km]"
    r"|--(?:tb|color|dist|import-mode|capture|show-capture|verbosity|maxfail|durations)=[a-z0-9-]+"
    r"|--(?:strict-markers|strict-config|strict|no-header|no-summary|exitfirst|quiet|verbose"
    r"|showlocals|ff|failed-first|nf|new-first|lf|last-failed|sw|stepwise|full-trace|disable-warnings)"
)
"""Options that select tests or change what is printed. None names a file, a plugin or a setting."""

_ARGUMENT: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_ .,/:()\[\]-]*")
"""A relative path, the id of a test, a number, or an expression of `-k` or `-m`."""


def is_plain_pytest(command: str) -> bool:
    """Return whether a command runs pytest on tests of the project, and nothing else."""
    try:
        words = tuple(shlex.split(command))
    except ValueError:
        return False
    if re.search(r"[;&|<>$`\\\n\r*?~!#{}]", command):
        return False
    if words and _IMPORT_PATH.fullmatch(words[0]) and ".." not in re.split("[/:=]", words[0]):
        words = words[1:]
    for runner in _RUNNERS:
        if words[: len(runner)] == runner:
            return all(_is_plain_word(word) for word in words[len(runner) :])
    return False


def _is_plain_word(word: str) -> bool:
    if _OPTION.fullmatch(word):
        return True
    return bool(_ARGUMENT.fullmatch(word)) and ".." not in word.split("/")
