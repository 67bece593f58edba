"""Share what the detectors of tool calls have in common."""

from typing import Final

from orchestrator.sessions.calls.shortening import shorten_at_space
from orchestrator.sessions.calls.tool_inputs import BashInput, EditInput, ReadInput, read_input
from orchestrator.sessions.detectors.occurrences import COMMAND_MARK
from orchestrator.sessions.models import ToolCall

EDITS: Final = frozenset({"Edit", "MultiEdit", "Write", "NotebookEdit"})
"""The tools that change files."""
_MOST_OF_COMMAND: Final = 4_200
"""Characters of a command in a quote: it is masked before it is cut to what is stored."""
_MOST_OF_PATH: Final = 200
MOST_OF_NAME: Final = 80
"""Characters of the name of a tool: what a transcript names so may be anything."""


def read_command(call: ToolCall) -> str:
    """Return the shell command of a call, or an empty text."""
    if call.name != "Bash":
        return ""
    given = read_input(call)
    return given.command if isinstance(given, BashInput) else ""


def read_path(call: ToolCall) -> str:
    """Return the path of the file that a call reads or changes, or an empty text."""
    given = read_input(call)
    if isinstance(given, ReadInput):
        return given.file_path
    return given.path if isinstance(given, EditInput) else ""


def is_done_edit(call: ToolCall) -> bool:
    """Return whether a call changed a file by a tool."""
    return call.name in EDITS and call.result is not None and not call.is_error


def shorten_path(path: str, folder: str) -> str:
    """Return a path below the session's folder, which is the same on every machine, else its name.

    Args:
        path: as it stands in the transcript.
        folder: the folder of the session.
    """
    path, folder = path.replace("\\", "/"), folder.replace("\\", "/").rstrip("/")
    if folder and path.startswith(f"{folder}/"):
        path = path[len(folder) + 1 :]
    if len(path) > _MOST_OF_PATH:
        return shorten_at_space(path.rpartition("/")[2], _MOST_OF_PATH)
    return path if not path.startswith(("/", "~")) and path[1:2] != ":" else path.rpartition("/")[2]


def quote_call(command: str, text: str, path: str = "") -> str:
    """Return a command, or the path of a file, and what was said of it."""
    head = f"{quote_command(command)}\n" if command else f"{path}: " if path else ""
    return f"{head}{text}"


def quote_command(command: str) -> str:
    """Return a command as a line of a quote."""
    return f"{COMMAND_MARK}{' '.join(command[:_MOST_OF_COMMAND].split())}"
