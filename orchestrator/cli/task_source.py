"""Where the task of a run comes from: quoted words, a file, or standard input."""

import shlex
import sys
from pathlib import Path
from typing import BinaryIO, Final

from orchestrator.errors import UsageError

_MOST_BYTES: Final = 100_000
"""Longest task. Linux passes no argument of more than 128 KiB to an agent's command."""
_STANDARD_INPUT: Final = Path("-")
_EXAMPLE: Final = "Fix the failing test in tests/test_cart.py"
HOW_TO_GIVE: Final = (
    f'say what to do in quotes: orchestrator run "{_EXAMPLE}"; '
    "or name a file: orchestrator run -f FILE"
)


def read_task(text: str | None, file: Path | None) -> str:
    """Return the task that a person gave.

    Args:
        text: the argument of the command; None if there is none.
        file: the file that was named; `-` is standard input. Without it and without words, the
            task is on standard input, unless that is a terminal.

    Raises:
        UsageError: there is no task, or more than one; it is a single word; the file cannot be
            read, is not text, or is too long.
    """
    if text is not None and file is not None:
        raise UsageError(
            "there are two tasks: the words, and that of --file", "give only one of them"
        )
    if text is not None:
        return _check_text(text)
    if file is not None and file != _STANDARD_INPUT:
        return _read_file(file)
    if file is None and _is_terminal():
        raise UsageError("there is no task", HOW_TO_GIVE)
    return _read_standard_input(is_named=file is not None)


def build_word_error(word: str, found: str) -> UsageError:
    """Return the error for a single word in the place of a task.

    Such a word is a mistyped command or a file more often than a task, and a run costs money.

    Args:
        word: the word.
        found: what is known about it, before "a single word is never a task".
    """
    path = Path(word)
    if word == "-" or _is_file(path):
        command = shlex.join(["orchestrator", "run", "-f", word])
        source = "standard input" if word == "-" else "a file"
        return UsageError(f"`{word}` is no task, but {source}", f"to read the task: {command}")
    return UsageError(f"{found} a single word is never a task", HOW_TO_GIVE)


def is_single_word(text: str) -> bool:
    """Return whether a text has no more than one word."""
    return len(text.split()) == 1


def _check_text(text: str) -> str:
    if not text.strip():
        raise UsageError("the task is empty", HOW_TO_GIVE)
    if is_single_word(text):
        raise build_word_error(text.strip(), f"`{text.strip()}`:")
    return text


def _require_sentence(text: str, name: str) -> str:
    if is_single_word(text):
        raise UsageError(f"{name}: `{text[:60]}`: a single word is never a task", HOW_TO_GIVE)
    return text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _is_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()


def _read_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return _read_text(file, str(path))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from None


def _read_standard_input(*, is_named: bool) -> str:
    if sys.stdin is None:
        raise UsageError("there is no task", HOW_TO_GIVE)
    if _is_terminal():
        sys.stderr.write("Type the task, and end it with Ctrl-D on a line of its own.\n")
    try:
        text = _read_text(sys.stdin.buffer, "standard input", may_be_empty=not is_named)
    except OSError as error:
        raise UsageError(f"standard input: cannot be read: {error.strerror}") from None
    if not text:
        raise UsageError("there is no task, and standard input is empty", HOW_TO_GIVE)
    return text


def _read_text(file: BinaryIO, name: str, *, may_be_empty: bool = False) -> str:
    data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise UsageError(
            f"{name}: the task is longer than {_MOST_BYTES // 1000} kB",
            "shorten it, and name the files with the details in it: the agent can read them",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: is not UTF-8 text", "give the task as plain text") from None
    if "\0" in text:
        raise UsageError(f"{name}: is binary", "give the task as plain text")
    if text.strip():
        return _require_sentence(text.strip(), name)
    if may_be_empty:
        return ""
    raise UsageError(f"{name}: is empty", "write what the agent should do into it")
