"""Select the stored sessions of a project, in the same way for every command.

A session is stored under its project: see `session_project`. It belongs to another one if it
started there or below, unless its own project is in that folder: a folder above has none of the
sessions of the repositories in it.
"""

from datetime import UTC, datetime
from typing import Final

CONDITION: Final = (
    "(project = ? OR ((folder = ? OR substr(folder, 1, ?) = ?) AND substr(project, 1, ?) <> ?))"
)
"""In SQL, on the columns of `sessions`; `list_values` has the values of its placeholders."""


def list_values(project: str) -> list[str | int]:
    """Return the values of the placeholders of `CONDITION`.

    Args:
        project: the real path of the project.
    """
    below = f"{project.rstrip('/')}/"
    return [project, project, len(below), below, len(below), below]


def format_transcript_time(at: datetime) -> str:
    """Return a time as it stands in transcripts, by which stored times are compared."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}Z"
